"""Which rank plays which role: one pure function of the size of the world and what each rank asked to be.

It knows no MPI and reads no environment; what cannot work is a LaunchError that names what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mpikernel.errors import LaunchError
from mpikernel.world.roles import Role

AUTO = -1
#: From this size on an interface gets a rank of its own: controller, script, task and at least one engine.
SMALLEST_WITH_INTERFACES = 4


class Layout(msgspec.Struct, frozen=True, array_like=True):
    """Who is where. `engines[i]` is the rank of engine i."""

    size: int
    controller: int
    script: int
    task: int
    engines: tuple[int, ...]

    def roles(self, rank: int) -> tuple[Role, ...]:
        """The roles of one rank, in the order in which they are started."""
        named = ((Role.CONTROLLER, self.controller), (Role.TASK, self.task), (Role.SCRIPT, self.script))
        own = tuple(role for role, where in named if where == rank)
        return own + ((Role.ENGINE,) if rank in self.engines else ())

    def describe(self) -> str:
        """Ranks per role, as the line in which a world announces itself has them."""
        parts = [f"controller {self.controller}", f"script {self.script}", f"task {self.task}", f"engines {_span(self.engines)}"]
        return ", ".join(parts)


def arrange(size: int, asked: Sequence[Role | None] = (), interfaces: int = AUTO) -> Layout:
    """Give every rank of a world of `size` its role.

    Args:
        size: number of ranks.
        asked: what each rank asked to be (a launch with several programs), None or absent where it does not mind.
        interfaces: how many interfaces get a rank of their own: 0, 1 (script), 2 (script and task), or AUTO.

    Raises:
        LaunchError: the world is too small for what was asked, or lacks a role.
    """
    wishes = list(asked) or [None] * size
    if len(wishes) != size:
        raise LaunchError(f"{len(wishes)} ranks said what they want to be, but the world has {size}")
    if size == 1:
        return _single(interfaces)
    apart = _dedicated(size, interfaces)
    if any(wishes):
        return _as_asked(wishes, apart)
    script = 1 if apart >= 1 else 0
    task = 2 if apart == 2 else 0
    return Layout(size, 0, script, task, tuple(range(1 + apart, size)))


def _single(interfaces: int) -> Layout:
    if interfaces > 0:
        raise LaunchError(f"{_count(interfaces)} asked for, but the world has 1 rank: start it with mpiexec -n {interfaces + 2} or more")
    return Layout(1, 0, 0, 0, (0,))


def _dedicated(size: int, interfaces: int) -> int:
    if interfaces == AUTO:
        return 2 if size >= SMALLEST_WITH_INTERFACES else 0
    if not 0 <= interfaces <= 2:
        raise LaunchError(
            f"interfaces = {interfaces} was asked for; possible are 0, 1 (script), 2 (script and task), or {AUTO} for automatic"
        )
    if size < interfaces + 2:
        raise LaunchError(
            f"{_count(interfaces)} asked for, which with a controller and one engine needs {interfaces + 2} ranks, "
            f"but the world has {size}: start it with mpiexec -n {interfaces + 2} or more, or ask for fewer"
        )
    return interfaces


def _as_asked(wishes: list[Role | None], apart: int) -> Layout:
    """Roles by program: controllers' ranks come first, and what nobody asked to be becomes an engine."""
    if wishes[0] not in (None, Role.CONTROLLER):
        raise LaunchError(
            f"rank 0 asked to be {wishes[0].value}, but rank 0 is the controller: name ipcontroller first on the mpiexec line"
        )
    servers = [rank for rank, wish in enumerate(wishes) if wish is Role.CONTROLLER]
    engines = tuple(rank for rank, wish in enumerate(wishes) if wish in (None, Role.ENGINE) and rank != 0)
    if not engines:
        raise LaunchError("no rank is left to be an engine: start at least one, as in mpiexec -n 3 ipcontroller : -n 5 ipengine")
    spare = [rank for rank in servers if rank != 0]
    script = _place(wishes, Role.SCRIPT, spare if apart >= 1 else [])
    task = _place(wishes, Role.TASK, spare if apart == 2 else [])
    if spare:
        raise LaunchError(
            f"{len(servers)} ranks are ipcontroller, but only {len(servers) - len(spare)} have a role there: give the others to ipengine"
        )
    return Layout(len(wishes), 0, script, task, engines)


def _place(wishes: list[Role | None], role: Role, spare: list[int]) -> int:
    """The rank of an interface: who asked for it, else the first of the spare ones, which is then taken, else rank 0."""
    asked = [rank for rank, wish in enumerate(wishes) if wish is role]
    if len(asked) > 1:
        raise LaunchError(f"ranks {_span(asked)} asked to be {role.value}, but a world has only one")
    if asked:
        return asked[0]
    return spare.pop(0) if spare else 0


def _count(interfaces: int) -> str:
    return f"{interfaces} interface rank{'s' if interfaces != 1 else ''}"


def _span(ranks: Sequence[int]) -> str:
    """Ranks as people write them: 3-6, or 1,4,7."""
    first, last = ranks[0], ranks[-1]
    if len(ranks) > 1 and list(ranks) == list(range(first, last + 1)):
        return f"{first}-{last}"
    return ",".join(map(str, ranks))
