"""How much memory this process may still take: of its host, and of the control groups (v1 or v2) that a batch system put it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: Where control groups are mounted; the folder of a process is below, and so are those of its parents.
GROUPS = Path("/sys/fs/cgroup")
#: What the host has, and the groups that this process is in.
HOST = Path("/proc/meminfo")
OWN = Path("/proc/self/cgroup")
#: (limit, usage, the line of memory.stat that counts what would be given back)
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def available_memory() -> int | None:
    """Bytes, or None where it cannot be known."""
    rooms = [room for room in (_of_host(), *_of_groups()) if room is not None]
    return min(rooms, default=None)


def _of_host() -> int | None:
    for line in _read(HOST).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _of_groups() -> Iterator[int | None]:
    """What each control group leaves that this process is in, from its own up to the outermost."""
    for line in _read(OWN).splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            root, names = GROUPS / "memory", V1
        elif number == "0":
            root, names = GROUPS, V2
        else:
            continue
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if group == GROUPS.parent or group == root.parent:
                break
            yield _of_group(group, *names)


def _of_group(folder: Path, limit: str, usage: str, given_back: str) -> int | None:
    most, used = _read(folder / limit).strip(), _read(folder / usage).strip()
    if not most.isdigit() or not used.isdigit():
        return None
    back = [int(line.split()[1]) for line in _read(folder / "memory.stat").splitlines() if line.split()[0] == given_back]
    return int(most) - int(used) + sum(back)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
