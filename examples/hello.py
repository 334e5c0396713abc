"""Every engine says hello.

    ipcluster run -n 5 examples/hello.py

prints one line for each engine: of 5 ranks, 2 are engines (one rank is the controller, one runs this script, one queues tasks).
"""

from __future__ import annotations

import os
import socket

from mpikernel import Client, engine


def greet(name: str) -> str:
    """Runs on an engine; `engine` says which one."""
    return f"Hello {name}, engine {engine.id} of {engine.size} on {socket.gethostname()}, process {os.getpid()}"


def main() -> None:
    client = Client()
    for line in client[:].apply_sync(greet, "world"):
        print(line)


if __name__ == "__main__":
    main()
