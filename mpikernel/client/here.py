"""The world that this process's script is in. Boot opens the port before the script starts; `Client()` finds it here."""

from __future__ import annotations

from mpikernel.client.port import Port
from mpikernel.errors import NoWorldError

_ports: list[Port] = []

NO_WORLD = """there is no world here: nobody started this process as the script of one. Two ways to get a world:
    mpiexec -n 8 python -m mpikernel {script}
    ipcluster run -n 8 {script}
(and on an engine there is no client: return the value, and go on in the script)"""


def open_port(port: Port) -> None:
    """From now on `Client()` finds this world."""
    _ports.append(port)


def close_port() -> None:
    """The script is over."""
    _ports.clear()


def find_port(script: str) -> Port:
    """The port of the world that this process is in.

    Raises:
        NoWorldError: it is in none; tells the two ways to get one.
    """
    if not _ports:
        raise NoWorldError(NO_WORLD.format(script=script))
    return _ports[-1]
