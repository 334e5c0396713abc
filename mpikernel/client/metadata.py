"""What is known about a call besides its value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mpikernel.client.state import Call, ClientState

KEYS = (
    "msg_id",
    "kind",
    "label",
    "submitted",
    "started",
    "completed",
    "received",
    "engine_id",
    "host",
    "rank",
    "status",
    "stdout",
    "stderr",
    "error",
)


class Metadata(dict[str, Any]):
    """One call's metadata; keys are attributes too.

    `submitted`, `started`, `completed` and `received` are datetimes in UTC, None for what has not happened. `status` is
    None until the call has ended, then "ok", "error" or "aborted". `error` is one line, or None.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"metadata has no {name!r}; it has {', '.join(self)}") from None


def metadata_of(call: Call, state: ClientState) -> Metadata:
    """The metadata of a call as it stands now."""
    done = call.done
    known = call.engine >= 0
    rank = state.engines[call.engine] if known else None
    values = (
        call.id,
        call.kind,
        call.label,
        _moment(call.submitted),
        _moment(done.started) if done else None,
        _moment(done.completed) if done else None,
        _moment(call.received),
        call.engine if known else None,
        state.hosts[rank] if rank is not None else None,
        rank,
        done.status if done else None,
        done.stdout if done else "",
        done.stderr if done else "",
        (done.error or None) if done else None,
    )
    return Metadata(zip(KEYS, values, strict=True))


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
