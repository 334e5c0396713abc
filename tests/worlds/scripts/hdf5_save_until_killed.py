"""Saves to out.h5 what never comes to its end; with an argument, what does."""

from __future__ import annotations

import sys

from mpikernel import Client

SLOW = """if True:
    import time, numpy
    class Slow:
        asked = 0
        def __array__(self, dtype=None, copy=None):
            self.asked += 1
            if self.asked == 2:  # first it was measured
                time.sleep(3600)
            return numpy.ones(3)
"""

one = Client()[0]
one.execute(SLOW, block=True)
one.execute("x = 1.0" if sys.argv[1:] else "x = Slow()", block=True)
one.save("x", "out.h5")
