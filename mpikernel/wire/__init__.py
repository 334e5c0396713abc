"""How ranks talk: messages, envelopes, payloads, and the transports that carry them."""
