"""The language of queries: mongo-like dicts, made into tests of records. Pure: it reads no ledger.

    {"status": "error", "engine_id": {"$in": [0, 1]}, "$or": [{"label": {"$regex": "^fit"}}, {"attempt": {"$gt": 1}}]}

All entries of a dict hold at once. Numbers compare with numbers, text with text, times with times; whatever else is compared does
not match, and so does what is not known (None), but with `None` itself. A negation matches exactly what its opposite does not.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mpikernel.errors import UsageError
from mpikernel.ledger.pages import FIRST, LAST
from mpikernel.ledger.records import Position, Record
from mpikernel.ledger.wording import outcome


class Entry(NamedTuple):
    """A record as queries see it."""

    run: int
    record: Record
    live: bool  # whether its run still goes on


Test = Callable[[Entry], bool]
Match = Callable[[Any], bool]


def _moment(name: str) -> Callable[[Entry], datetime | None]:
    seconds = operator.attrgetter(f"record.{name}")

    def moment(entry: Entry) -> datetime | None:
        return datetime.fromtimestamp(seconds(entry), UTC) if seconds(entry) else None

    return moment


#: What a record tells, by the names that ipyparallel has where it has one. None stands for what is not known, or has not happened.
FIELDS: dict[str, Callable[[Entry], Any]] = {
    "msg_id": lambda entry: entry.record.task,
    "run": lambda entry: entry.run,
    "kind": lambda entry: entry.record.kind,
    "label": lambda entry: entry.record.label,
    "status": lambda entry: outcome(entry.record, entry.live),
    "engine_id": lambda entry: entry.record.engine if entry.record.engine >= 0 else None,
    "rank": lambda entry: entry.record.rank if entry.record.rank >= 0 else None,
    "host": lambda entry: entry.record.host or None,
    "submitted": _moment("submitted"),
    "started": _moment("started"),
    "completed": _moment("completed"),
    "error": lambda entry: entry.record.error or None,
    "attempt": lambda entry: entry.record.attempt,
}

#: What `ipcluster history --json` calls two of them.
OTHER_NAMES = {"task": "msg_id", "engine": "engine_id"}


def field(name: object) -> Callable[[Entry], Any]:
    """What finds a field in an entry.

    Raises:
        UsageError: there is no such field; names those that there are.
    """
    found = FIELDS.get(OTHER_NAMES.get(name, name)) if isinstance(name, str) else None
    if found is None:
        raise UsageError(f"records have no field {name!r}; they have {', '.join(FIELDS)}")
    return found


def parse(query: Mapping[str, Any]) -> Test:
    """Make a test of a query. An empty one matches everything.

    Raises:
        UsageError: the query is wrong; says which part of it, and what is known.
    """
    if not isinstance(query, Mapping):
        raise UsageError(f"a query is a dict such as {{'status': 'error'}}, not {query!r}")
    tests = [_clause(name, wanted) for name, wanted in query.items()]
    return tests[0] if len(tests) == 1 else _all_of(tests)


def _clause(name: object, wanted: Any) -> Test:
    if not isinstance(name, str) or not name.startswith("$"):
        find, matches = field(name), _matcher(wanted)
        return lambda entry: matches(find(entry))
    if name not in _LOGIC:
        raise UsageError(f"{name} is not known here; between conditions there are {', '.join(_LOGIC)}, in them {', '.join(_OPERATORS)}")
    if not isinstance(wanted, list | tuple) or not wanted:
        raise UsageError(f"{name} takes a list of queries with at least one in it, not {wanted!r}")
    return _LOGIC[name]([parse(part) for part in wanted])


def _all_of(tests: list[Test]) -> Test:
    return lambda entry: all(test(entry) for test in tests)


def _any_of(tests: list[Test]) -> Test:
    return lambda entry: any(test(entry) for test in tests)


def _none_of(tests: list[Test]) -> Test:
    return lambda entry: not any(test(entry) for test in tests)


_LOGIC: dict[str, Callable[[list[Test]], Test]] = {"$and": _all_of, "$or": _any_of, "$nor": _none_of}


# conditions on one value ----------------------------------------------------------------------------------------------------


def _matcher(wanted: Any) -> Match:
    """A value to be equal to, a pattern to be found, or a dict of operators that all hold."""
    if isinstance(wanted, re.Pattern):
        return _found(wanted)
    if not isinstance(wanted, Mapping):
        return _equal(wanted)
    if not wanted:
        raise UsageError(f"an empty condition says nothing; there are {', '.join(_OPERATORS)}")
    matches = [_operation(name, operand) for name, operand in wanted.items()]
    return matches[0] if len(matches) == 1 else lambda value: all(match(value) for match in matches)


def _operation(name: Any, operand: Any) -> Match:
    if name not in _OPERATORS:
        raise UsageError(f"there is no operator {name!r} for a value; there are {', '.join(_OPERATORS)}")
    return _OPERATORS[name](operand)


#: What may be compared, by type: only what has the same word here.
_KINDS: dict[type, str] = {type(None): "nothing", bool: "truth", int: "number", float: "number", str: "text", datetime: "time"}


def _operand(value: Any) -> Any:
    """A value of a query as one of _KINDS. A time without a zone is local time, as datetime.now() gives it."""
    if isinstance(value, datetime):
        return _aware(value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)  # of subclasses (an Enum, what numpy has) the plain value
    if value is None:
        return None
    if hasattr(value, "__index__"):
        return operator.index(value)
    raise UsageError(f"values in queries are None, numbers, text and datetimes; {value!r} is a {type(value).__name__}")


def _aware(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise UsageError(f"{value!r} is too early or too late for the clock: {error}") from error


def _equal(operand: Any) -> Match:
    plain = _operand(operand)
    kind = _KINDS[type(plain)]
    return lambda value: _KINDS.get(type(value)) == kind and value == plain


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Match]:
    def condition(operand: Any) -> Match:
        plain = _operand(operand)
        kind = _KINDS[type(plain)]
        if kind in ("nothing", "truth"):  # have no order
            return lambda value: False
        return lambda value: _KINDS.get(type(value)) == kind and compare(value, plain)

    return condition


def _among(operand: Any) -> Match:
    if isinstance(operand, str | bytes | Mapping) or not isinstance(operand, Iterable):
        raise UsageError(f"$in and $nin take a list of values, not {operand!r}")
    plain = [_operand(each) for each in operand]
    wanted = {(_KINDS[type(each)], each) for each in plain}
    return lambda value: (_KINDS.get(type(value)), value) in wanted


def _exists(operand: Any) -> Match:
    if not isinstance(operand, bool):
        raise UsageError(f"$exists takes True (it is known) or False (it is None), not {operand!r}")
    return lambda value: (value is not None) is operand


def _found(operand: Any) -> Match:
    """A regular expression, found anywhere in a text."""
    try:
        pattern = re.compile(operand)
    except (re.error, TypeError) as error:
        raise UsageError(f"$regex takes a regular expression, and {operand!r} is none: {error}") from error
    if not isinstance(pattern.pattern, str):
        raise UsageError(f"$regex looks in text, and {operand!r} is for bytes")
    return lambda value: isinstance(value, str) and pattern.search(value) is not None


def _not(condition: Callable[[Any], Match]) -> Callable[[Any], Match]:
    def opposite(operand: Any) -> Match:
        matches = condition(operand)
        return lambda value: not matches(value)

    return opposite


def _inner(operand: Any) -> Match:
    if not isinstance(operand, Mapping | re.Pattern):
        raise UsageError(f"$not takes a condition such as {{'$gt': 3}}, not {operand!r}; for another value there is $ne")
    return _matcher(operand)


_OPERATORS: dict[str, Callable[[Any], Match]] = {
    "$eq": _equal,
    "$ne": _not(_equal),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$in": _among,
    "$nin": _not(_among),
    "$exists": _exists,
    "$regex": _found,
    "$not": _not(_inner),
}


# where to look ---------------------------------------------------------------------------------------------------------------


def span_of(query: Mapping[str, Any]) -> tuple[Position, Position]:
    """The first and the last position at which a query, which was parsed before, can match; the first is the later if it never can."""
    run = _bounds(query.get("run"), LAST[0])
    if run[0] != run[1]:
        return (run[0], FIRST[1]), (run[1], LAST[1])
    task = _bounds(query.get("msg_id", query.get("task")), LAST[1])
    return (run[0], task[0]), (run[1], task[1])


def _bounds(wanted: Any, top: int) -> tuple[int, int]:
    """The least and the greatest integer, from 0 to top, that can meet a condition: (1, 0) if none can."""
    low, high = 0, top
    for name, operand in wanted.items() if isinstance(wanted, Mapping) else [("$eq", wanted)]:
        within = _limits(name, operand)
        low, high = max(low, within[0]), min(high, within[1], top)
    return (low, high) if low <= high else (1, 0)


def _limits(name: str, operand: Any) -> tuple[int, int]:
    values = list(operand) if name == "$in" else [operand]
    if not values or not all(isinstance(value, int) for value in values):
        return 0, LAST[1]
    least, most = min(values), max(values)
    if name in ("$eq", "$in"):
        return least, most
    return {"$gt": (least + 1, LAST[1]), "$gte": (least, LAST[1]), "$lt": (0, most - 1), "$lte": (0, most)}.get(name, (0, LAST[1]))
