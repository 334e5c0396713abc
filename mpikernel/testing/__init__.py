"""What tests of mpikernel need, shipped: a manual clock, a world in one process, and contract suites."""
