"""What the controller knows: who is in the world, how its end goes, and the ledger. Plain data."""

from __future__ import annotations

from msgspec import Struct, field

from mpikernel.ledger.promise import Ledger


class ControllerState(Struct, eq=False):
    size: int
    ledger: Ledger
    commit_interval: float  # seconds between group commits
    commit_records: int  # or so many records, whichever comes first
    grace: float  # seconds that ranks get to stop
    script: int  # rank of the script interface
    committed: float = 0.0  # when the last commit was
    code: int | None = None  # the world's exit code, once it is ending
    deadline: float = 0.0  # when patience with ranks that do not stop ends
    stopped: set[int] = field(default_factory=set)  # ranks that said goodbye
    lost: set[int] = field(default_factory=set)  # ranks that died
    left: bool = False  # everybody has been told to leave

    @property
    def missing(self) -> list[int]:
        """Ranks that have not stopped although they were told to."""
        return [rank for rank in self.living if rank not in self.stopped] if self.code is not None else []

    @property
    def living(self) -> list[int]:
        """Ranks that have not died."""
        return [rank for rank in range(self.size) if rank not in self.lost]

    def overdue(self, now: float) -> bool:
        """Whether ranks had their grace and have not stopped."""
        return self.code is not None and not self.left and now > self.deadline

    def check(self) -> None:
        """What is always true of it."""
        assert self.stopped <= set(range(self.size)), f"goodbye from ranks that do not exist: {self.stopped}"
        assert not self.left or self.stopped >= set(self.living), f"told to leave although {self.missing} have not stopped"
        assert not self.stopped or self.code is not None, f"{self.stopped} stopped although nobody told them to"
