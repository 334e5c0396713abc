"""The tests of mpikernel; CONTRIBUTING says which folder a test belongs in."""
