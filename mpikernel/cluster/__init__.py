"""Starting, watching and ending worlds from outside: the launchers of mpiexec and of batch systems."""
