"""`mpiexec -n N python -m mpikernel [options] SCRIPT [ARGS...]`: one rank of a world."""

from __future__ import annotations

import sys

from mpikernel.boot.rank import main

if __name__ == "__main__":
    main(sys.argv[1:])
