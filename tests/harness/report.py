"""What a run came to, and how it is shown when a test fails: the command, its output, and the log of every rank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TAIL = 200  # lines shown of each text; a world that hangs may have written millions


@dataclass(frozen=True)
class Finished:
    """A run that is over, and left no process behind."""

    command: tuple[str, ...]
    exit_code: int  # as the shell has it: 128 + n when signal n ended the command itself
    stdout: str
    stderr: str
    seconds: float
    cwd: Path
    shared_memory: tuple[str, ...]  # names in /dev/shm that were left there (and have been removed since)

    def report(self) -> str:
        outcome = f"ended with exit code {self.exit_code} after {self.seconds:.1f} s"
        return describe_run(self.command, self.cwd, outcome, self.stdout, self.stderr)


def describe_run(command: tuple[str, ...], cwd: Path, outcome: str, stdout: str, stderr: str) -> str:
    """All that is known of a run, as text."""
    logs = [_section(str(path.relative_to(cwd)), path.read_text(errors="replace")) for path in find_logs(cwd)]
    head = f"$ {' '.join(command)}\nin {cwd}: {outcome}"
    return "\n".join([head, _section("stdout", stdout), _section("stderr", stderr), *logs])


def find_logs(cwd: Path) -> list[Path]:
    """The log files of every cluster directory below `cwd`."""
    return sorted(path for path in cwd.glob("**/log/*") if path.is_file())


def _section(title: str, text: str) -> str:
    lines = text.splitlines()
    cut = [f"... {len(lines) - TAIL} lines before this ..."] if len(lines) > TAIL else []
    return "\n".join([f"--- {title} ---", *cut, *lines[-TAIL:]])
