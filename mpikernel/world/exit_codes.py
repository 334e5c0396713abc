"""The exit codes of a world, by name. What the script itself asks for with sys.exit comes on top of them."""

from __future__ import annotations

#: The script ended with an exception, as python has it.
FAILED = 1
#: A command line, configuration or launch that cannot work; nothing has been run.
USAGE = 2
#: mpikernel itself failed (EX_SOFTWARE).
BROKEN = 70
#: A signal ended the world: 128 + its number, as for a process that it kills.
SIGNAL_BASE = 128
#: KeyboardInterrupt, although nobody sent a signal; or SIGINT before the world could end in order.
INTERRUPTED = 130
