"""Benchmarks, each with raw mpi4py measured beside it in the same world."""
