"""Benchmarks, each with raw mpi4py measured beside it in the same world.

    python -m mpikernel.bench latency|tasks|arrays|startup [-n RANKS] [--quick] [--json FILE]

That process starts the worlds and prints; it never imports MPI. Inside of a world each bench is a module whose `measure(client, effort)`
makes a Sheet (or a package of them); a new one is such a module and its line in benches.py.
"""
