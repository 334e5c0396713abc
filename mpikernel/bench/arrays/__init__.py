"""How fast arrays move and how much memory that takes: one sheet for each module here, and the bars that each is to reach.

All ranks are in one world, in which contestants take turns; raw mpi4py is one of them wherever it can do the same.
"""
