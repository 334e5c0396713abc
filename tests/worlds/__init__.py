"""Real worlds under mpiexec, as users start them. Plain behaviour is checked by the scripts beside, many checks in one world."""
