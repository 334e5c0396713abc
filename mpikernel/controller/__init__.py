"""Rank 0: who is in the world, whether they live, and what is written in the ledger."""
