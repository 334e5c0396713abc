"""What tasks depend on: other tasks, in time and place, and what engines have; and flags of views. Runs in a world of any size."""

from __future__ import annotations

import os
import time

from called import nap, refuse_odd, square
from checks import raises, run_checks, wait_until

from mpikernel import Client, Dependency, depend, engine, require
from mpikernel.errors import CompositeError, ImpossibleDependency, QueueTimeoutError, TaskReject, UnmetDependency, UsageError

client = Client()
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


def moment(_: object = None) -> float:
    return time.time()


def place() -> int:
    return engine.id


def on_the_last(count: int) -> bool:
    return engine.id == count - 1


# after ---------------------------------------------------------------------------------------------------------------------


def check_what_comes_after_another() -> None:
    view = client.load_balanced_view()
    first = view.apply_async(nap, 0.2)
    with view.temp_flags(after=first):
        second = view.apply_async(moment)
        third = view.map_async(moment, range(5))
    ended = first.metadata.completed.timestamp() if first.wait() else 0.0
    assert second.get() >= ended
    assert min(third.get()) >= ended


def check_what_comes_after_what_has_ended() -> None:
    view = client.load_balanced_view()
    ended = view.apply_async(square, 3)
    ended.get()
    view.after = ended
    assert view.apply_sync(square, 2) == 4
    view.after = ended.msg_ids
    assert view.apply_sync(square, 2) == 4


def check_ids_that_only_the_ledger_knows() -> None:
    view = client.load_balanced_view()
    number = view.apply_async(square, 3).msg_ids[0]
    client.wait()
    wait_until(lambda: client.db_query({"msg_id": number, "run": client.run_number, "status": "ok"}))
    view.after = number
    assert view.apply_sync(square, 2) == 4
    with raises(UsageError, "there is no task 123456789 in this run"):
        view.after = 123456789
    with raises(UsageError, "is one of a direct view"):
        view.after = client[:].apply_async(square, 3)


def check_a_chain() -> None:
    view = client.load_balanced_view()
    links = []
    for _ in range(20):
        links.append(view.apply_async(moment))
        view.after = links[-1]
    times = [link.get() for link in links]
    assert times == sorted(times)


def check_what_comes_after_a_whole_map() -> None:
    view = client.load_balanced_view()
    mapped = view.map_async(moment, (x for x in range(6000)))
    view.after = mapped
    last = view.apply_sync(moment)
    assert last >= max(mapped.get())


def check_what_comes_after_a_failure() -> None:
    view = client.load_balanced_view()
    bad = view.apply_async(refuse_odd, 3)
    view.after = bad
    later = view.apply_async(square, 3)
    with raises(ImpossibleDependency, "square", "was to run after other tasks", "ValueError: 3 is odd"):
        later.get()
    with raises(ImpossibleDependency, f"task {bad.msg_ids[0]} (refuse_odd) failed: ValueError: 3 is odd"):
        view.apply_sync(square, 3)
    with raises(CompositeError, "ImpossibleDependency"):
        view.map_sync(square, range(3))
    view.after = Dependency(bad, success=False, failure=True)
    assert view.apply_sync(square, 3) == 9
    view.after = Dependency([bad, view.apply_async(nap, 0.01)], all=False, failure=True)
    assert view.apply_sync(square, 3) == 9


def check_one_is_enough() -> None:
    view = client.load_balanced_view()
    bad, good = view.apply_async(refuse_odd, 3), client.load_balanced_view().apply_async(refuse_odd, 2)
    view.after = Dependency([bad, good], all=False)
    assert view.apply_sync(square, 3) == 9


def check_what_hangs_on_something_cancelled() -> None:
    if not APART:
        return
    view = client.load_balanced_view()
    busy = [view.apply_async(nap, 0.3) for _ in range(2 * COUNT)]
    last = view.apply_async(square, 3)
    with view.temp_flags(after=last):
        after = view.apply_async(square, 4)
    assert last.cancel()
    with raises(ImpossibleDependency, "was cancelled"):
        after.get()
    client.wait(busy)


# follow --------------------------------------------------------------------------------------------------------------------


def check_what_follows() -> None:
    view = client.load_balanced_view()
    first = view.apply_async(place)
    with view.temp_flags(follow=first):
        others = [view.apply_async(place) for _ in range(3)] + [view.map_async(place_of, range(4))]
    where = first.get()
    assert [other.get() for other in others] == [where] * 3 + [[where] * 4]


def place_of(_: object) -> int:
    return engine.id


def check_what_cannot_follow() -> None:
    if COUNT == 1:
        return
    first = client.load_balanced_view(targets=[0]).apply_async(place)
    view = client.load_balanced_view(targets=[1])
    view.follow = first
    with raises(ImpossibleDependency, "was to follow other tasks, but they ran on engine 0, which is none of its targets"):
        view.apply_sync(place)


# on engines ----------------------------------------------------------------------------------------------------------------


def check_only_some_engines_are_for_a_function() -> None:
    only = depend(on_the_last, COUNT)(place)
    view = client.load_balanced_view()
    assert [view.apply_sync(only) for _ in range(3)] == [COUNT - 1] * 3
    assert view.map_sync(depend(on_the_last, COUNT)(place_of), range(20)) == [COUNT - 1] * 20


def check_no_engine_is() -> None:
    never = depend(on_the_last, COUNT + 7)(place)
    with raises(UnmetDependency, "no engine takes place", f"engine {COUNT - 1}: ", f"on_the_last({COUNT + 7}) gave False"):
        client.load_balanced_view().apply_sync(never)
    with raises(TaskReject, f"place does not run here: on_the_last({COUNT + 7}) gave False"):
        client[0].apply_sync(never)


@require("json", "xml.dom", square)
def with_tools(x: int) -> str:
    return json.dumps([xml.dom.__name__, square(x)])  # noqa: F821  # required


@require("no_such_module")
def without_tools() -> None:
    """Never runs."""


def check_modules_that_are_required() -> None:
    view = client.load_balanced_view()
    assert view.apply_sync(with_tools, 3) == '["xml.dom", 9]'
    assert view.map_sync(with_tools, range(3))[2] == '["xml.dom", 4]'
    assert client[:].apply_sync(with_tools, 1) == ['["xml.dom", 1]'] * COUNT
    with raises(UnmetDependency, "no engine takes without_tools", "it requires no_such_module", "No module named 'no_such_module'"):
        view.apply_sync(without_tools)


# flags ---------------------------------------------------------------------------------------------------------------------


def check_what_is_urgent_goes_first() -> None:
    view = client.load_balanced_view()
    busy = [view.apply_async(nap, 0.2) for _ in range(2 * COUNT)]
    late = [view.apply_async(moment) for _ in range(20)]
    with view.temp_flags(priority=5):
        soon = view.apply_async(moment)
    client.wait(busy)
    if APART:
        assert sum(soon.get() < other.get() for other in late) >= 10


def check_what_waits_too_long() -> None:
    if not APART:
        return
    view = client.load_balanced_view(targets=[0])
    busy = [view.apply_async(nap, 0.6) for _ in range(2)]
    view.queue_timeout = 0.1
    late = view.apply_async(square, 3)
    with raises(QueueTimeoutError, "square", "had not begun when its queue_timeout of 0.1 s was over"):
        late.get()
    client.wait(busy)


def check_labels() -> None:
    view = client.load_balanced_view()
    view.label = "trial 7"
    call, mapped = view.apply_async(square, 3), view.map_async(square, range(3))
    client.wait()
    rows = client.db_query({"label": "trial 7", "run": client.run_number}, ["msg_id"])
    assert {row["msg_id"] for row in rows} == {*call.msg_ids, *mapped.msg_ids}


run_checks(globals())
