"""The language of queries: what matches, what does not, and what is refused. Compared with a naive model, too."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.errors import UsageError
from mpikernel.ledger.pages import FIRST, LAST
from mpikernel.ledger.query import FIELDS, Entry, parse, span_of
from mpikernel.ledger.records import ABORTED, ERROR, OK, STATUSES, SUBMITTED, Record

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECONDS = NOON.timestamp()
WELL = Entry(2, Record(7, "apply", "fit", 1, 4, "node1", SECONDS, SECONDS + 1, SECONDS + 2, OK), live=True)
BADLY = Entry(2, Record(8, "task", "fit_all", 0, 3, "node2", SECONDS, SECONDS + 1, SECONDS + 2, ERROR, "ValueError: no", 3), live=True)
WAITING = Entry(2, Record(9, "task", "draw", submitted=SECONDS + 5), live=True)
CUT_SHORT = Entry(1, Record(7, "task", "fit", submitted=SECONDS - 86400), live=False)
ALL = {"well": WELL, "badly": BADLY, "waiting": WAITING, "cut short": CUT_SHORT}


def found(query: dict[str, Any]) -> str:
    test = parse(query)
    return ", ".join(name for name, entry in ALL.items() if test(entry))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, "well, badly, waiting, cut short"),
        ({"status": "ok"}, "well"),
        ({"status": "submitted"}, "waiting"),
        ({"status": "unfinished"}, "cut short"),
        ({"run": 1, "msg_id": 7}, "cut short"),
        ({"task": 7, "engine": 1}, "well"),
        ({"engine_id": None}, "waiting, cut short"),
        ({"engine_id": {"$ne": 0}}, "well, waiting, cut short"),
        ({"engine_id": {"$gt": 0}}, "well"),
        ({"engine_id": {"$not": {"$gt": 0}}}, "badly, waiting, cut short"),
        ({"engine_id": {"$in": [None, 0]}}, "badly, waiting, cut short"),
        ({"engine_id": {"$nin": [None, 0]}}, "well"),
        ({"engine_id": {"$lt": None}}, ""),
        ({"engine_id": {"$gte": False}}, ""),
        ({"engine_id": True}, ""),
        ({"engine_id": 1.0}, "well"),
        ({"engine_id": "1"}, ""),
        ({"label": {"$gt": 3}}, ""),
        ({"label": {"$not": {"$gt": 3}}}, "well, badly, waiting, cut short"),
        ({"completed": {"$exists": True}}, "well, badly"),
        ({"completed": {"$exists": False}, "run": 2}, "waiting"),
        ({"label": {"$regex": "^fit"}, "kind": {"$ne": "apply"}}, "badly, cut short"),
        ({"label": re.compile("IT$", re.IGNORECASE)}, "well, cut short"),
        ({"label": {"$not": re.compile("fit")}}, "waiting"),
        ({"error": {"$regex": "no"}}, "badly"),
        ({"msg_id": {"$gte": 8, "$lt": 9}}, "badly"),
        ({"$or": [{"status": "ok"}, {"$and": [{"run": 1}, {"kind": "task"}]}]}, "well, cut short"),
        ({"$nor": [{"run": 1}, {"attempt": {"$gt": 1}}]}, "well, waiting"),
        ({"$or": [{"run": 1}, {"attempt": 3}], "label": "fit"}, "cut short"),
        ({"submitted": NOON}, "well, badly"),
        ({"submitted": {"$gt": NOON}}, "waiting"),
        ({"submitted": NOON.astimezone(timezone(timedelta(hours=5)))}, "well, badly"),
        ({"submitted": {"$lt": NOON.astimezone().replace(tzinfo=None)}}, "cut short"),
        ({"submitted": {"$gt": SECONDS - 1e9}}, ""),
    ],
)
def test_what_a_query_finds(query: dict[str, Any], names: str) -> None:
    assert found(query) == names


def test_a_time_that_was_read_is_found_again() -> None:
    entry = Entry(1, Record(1, "apply", "f", submitted=1780315200.1234567), live=True)
    assert parse({"submitted": FIELDS["submitted"](entry)})(entry)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ([], "a query is a dict"),
        ({"colour": 1}, "no field 'colour'.*msg_id, run, kind.*attempt"),
        ({3: 1}, "no field 3"),
        ({"$xor": []}, "xor is not known here.*and, .or, .nor"),
        ({"$not": {"run": 1}}, "not is not known here"),
        ({"$or": []}, "or takes a list of queries"),
        ({"$and": {"run": 1}}, "and takes a list of queries"),
        ({"$or": [{"run": {"$near": 1}}]}, "no operator '.near'.*gte"),
        ({"run": {"gt": 1}}, "no operator 'gt'.*gt"),
        ({"run": {}}, "an empty condition"),
        ({"run": {"$in": 3}}, "in and .nin take a list"),
        ({"kind": {"$nin": "task"}}, "in and .nin take a list"),
        ({"run": {"$exists": 1}}, "exists takes True"),
        ({"label": {"$regex": "("}}, "regex takes a regular expression"),
        ({"label": {"$regex": 3}}, "regex takes a regular expression"),
        ({"label": re.compile(b"x")}, "for bytes"),
        ({"run": {"$not": 3}}, "not takes a condition.*ne"),
        ({"run": object()}, "is a object"),
        ({"run": {"$in": [[1]]}}, "is a list"),
        ({"submitted": {"$gt": datetime.min}}, "too early"),
    ],
)
def test_what_is_wrong_is_refused_in_words(query: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(query)


# the same, told naively -------------------------------------------------------------------------------------------------

NUMBERS = st.integers(-1, 4) | st.sampled_from([0.0, 1.5, 3.0])
TIMES = st.integers(0, 4).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
TEXTS = st.sampled_from(["", "f", "fit", "task", *STATUSES, "unfinished"])
VALUES = st.none() | st.booleans() | NUMBERS | TIMES | TEXTS
CONDITIONS = st.recursive(
    st.dictionaries(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), VALUES, min_size=1, max_size=2)
    | st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(VALUES, max_size=3), min_size=1)
    | st.booleans().map(lambda known: {"$exists": known})
    | st.sampled_from(["i", "^f", "k$", "."]).map(lambda pattern: {"$regex": pattern}),
    lambda inner: inner.map(lambda condition: {"$not": condition}),
    max_leaves=2,
)
QUERIES = st.recursive(
    st.dictionaries(st.sampled_from(list(FIELDS)), VALUES | CONDITIONS, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3), min_size=1),
    max_leaves=5,
)
ENTRIES = st.builds(
    Entry,
    st.integers(1, 3),
    st.builds(
        Record,
        st.integers(0, 4), TEXTS, TEXTS, st.integers(-1, 3), st.integers(-1, 3), TEXTS,
        st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.sampled_from([SUBMITTED, OK, ERROR, ABORTED]), TEXTS, st.integers(1, 3),
    ),
    st.booleans(),
)  # fmt: skip


def alike(left: Any, right: Any) -> bool:
    """Whether two values are of one kind."""
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right)]
    return all(numbers) or type(left) is type(right)


def holds(value: Any, name: str, operand: Any) -> bool:
    """One operator, spelled out."""
    if name == "$not":
        return not all(holds(value, *each) for each in operand.items())
    if name in ("$ne", "$nin"):
        return not holds(value, {"$ne": "$eq", "$nin": "$in"}[name], operand)
    if name == "$in":
        return any(holds(value, "$eq", each) for each in operand)
    if name == "$exists":
        return (value is not None) == operand
    if name == "$regex":
        return isinstance(value, str) and bool(re.search(operand, value))
    if not alike(value, operand):
        return False
    if name == "$eq":
        return bool(value == operand)
    if value is None:
        return False
    return bool({"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[name])


def matches(query: dict[str, Any], entry: Entry) -> bool:
    """A whole query, spelled out."""
    results = []
    for name, wanted in query.items():
        if name.startswith("$"):
            parts = [matches(part, entry) for part in wanted]
            results.append({"$and": all(parts), "$or": any(parts), "$nor": not any(parts)}[name])
        else:
            conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
            results.append(all(holds(FIELDS[name](entry), *each) for each in conditions.items()))
    return all(results)


@given(QUERIES, st.lists(ENTRIES, max_size=5))
def test_queries_find_what_they_say(query: dict[str, Any], entries: list[Entry]) -> None:
    test = parse(query)
    assert [test(entry) for entry in entries] == [matches(query, entry) for entry in entries]


@given(QUERIES, ENTRIES)
def test_where_a_query_looks_is_all_that_it_can_find(query: dict[str, Any], entry: Entry) -> None:
    first, last = span_of(query)
    assert first >= FIRST
    assert last <= LAST
    if parse(query)(entry):
        assert first <= (entry.run, entry.record.task) <= last


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ({}, (FIRST, LAST)),
        ({"run": 3}, ((3, 0), (3, LAST[1]))),
        ({"run": {"$gte": 2, "$lt": 5}}, ((2, 0), (4, LAST[1]))),
        ({"run": 3, "msg_id": {"$in": [5, 9]}}, ((3, 5), (3, 9))),
        ({"run": 3, "task": {"$gt": 5}}, ((3, 6), (3, LAST[1]))),
        ({"msg_id": 5}, (FIRST, LAST)),
        ({"run": {"$in": [2, None]}}, (FIRST, LAST)),
    ],
)
def test_only_the_runs_that_are_asked_for_are_read(query: dict[str, Any], span: object) -> None:
    assert span_of(query) == span


@pytest.mark.parametrize("query", [{"run": -1}, {"run": 2**40}, {"run": 1, "msg_id": {"$gt": 2**64}}, {"run": {"$gt": 3, "$lt": 3}}])
def test_what_cannot_be_is_not_looked_for(query: dict[str, Any]) -> None:
    first, last = span_of(query)
    assert first > last
