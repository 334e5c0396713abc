"""Recoveries of tasks that fail. Runs in a world of any size."""

from __future__ import annotations

import os
import time

import numpy as np
from checks import raises, run_checks

from mpikernel import Client
from mpikernel.errors import CompositeError, TaskAborted, TaskTimeoutError, remote_text

client = Client()
view = client.load_balanced_view()
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own
OFFSET = 100


def refuse_odd(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def offset(x: int) -> int:
    return x + OFFSET


def fail_too(x: int) -> int:
    raise KeyError(x)


def check_single_calls() -> None:
    with view.temp_flags(recovery=offset):
        assert view.apply_sync(refuse_odd, 4) == 4
        assert view.apply_sync(refuse_odd, 5) == 105
        assert view.apply_sync(refuse_odd, x=7) == 107


def check_calls_in_quick_succession() -> None:
    with view.temp_flags(recovery=offset):
        results = [view.apply_async(refuse_odd, number) for number in range(300)]
        assert [result.get() for result in results] == [number + 100 * (number % 2) for number in range(300)]
    attempts = {record["attempt"] for record in client.db_query({"msg_id": {"$in": [result.msg_ids[0] for result in results[1::2]]}})}
    assert attempts == {2}, attempts


def check_maps() -> None:
    expected = [number + 100 * (number % 2) for number in range(50)]
    with view.temp_flags(recovery=offset):
        for chunksize in (None, 1, 7):
            assert view.map_sync(refuse_odd, range(50), chunksize=chunksize) == expected
            assert list(view.imap(refuse_odd, range(50), chunksize=chunksize)) == expected


def check_large_arguments() -> None:
    def shape(array: np.ndarray) -> tuple[int, ...]:
        return array.shape

    def refuse(array: np.ndarray) -> None:
        raise ValueError("too large")

    with view.temp_flags(recovery=shape):
        assert view.apply_sync(refuse, np.ones((300, 1000))) == (300, 1000)


def check_both_errors_are_told() -> None:
    with view.temp_flags(recovery=fail_too, retries=1):
        result = view.apply_async(refuse_odd, 3)
        with raises(KeyError, "3") as caught:
            result.get()
        first = caught.error.__context__
        assert isinstance(first, ValueError), first
        assert "fail_too" in remote_text(caught.error)
        assert "in refuse_odd" in remote_text(first)
        (record,) = client.db_query({"msg_id": result.msg_ids[0], "run": client.run_number})
        assert (record["status"], record["attempt"], record["label"]) == ("error", 3, "refuse_odd")
        assert record["error"] == "KeyError: 3 (in the recovery from ValueError: 3 is odd)", record["error"]
        for chunksize in (1, 5):
            with raises(CompositeError, "items 1, 3, 5") as failed:
                view.map_sync(refuse_odd, range(6), chunksize=chunksize)
            assert [str(error.__context__) for error in failed.error.exceptions] == ["1 is odd", "3 is odd", "5 is odd"]


def check_what_takes_too_long_is_recovered() -> None:
    if APART:
        with view.temp_flags(recovery=lambda seconds: f"not {seconds}", timeout=0.2):
            assert view.apply_sync(time.sleep, 30) == "not 30"
            assert view.map_sync(time.sleep, [30, 0]) == ["not 30", None]
        with view.temp_flags(recovery=time.sleep, timeout=0.2), raises(TaskTimeoutError, "the recovery of sleep") as caught:
            view.apply_sync(time.sleep, 30)
        assert isinstance(caught.error.__context__, TaskTimeoutError)


def check_what_is_aborted_is_not_recovered() -> None:
    if APART:
        with view.temp_flags(recovery=offset):
            endless = view.apply_async(time.sleep, 1000)
            client.wait(timeout=0.1)
            endless.abort()
            with raises(TaskAborted):
                endless.get()


run_checks(globals())
