"""The roles between a client and the engines, one package each."""
