"""Does three calls, begins a fourth that never ends, and waits for it."""

from __future__ import annotations

from mpikernel import Client


def sleep_for_ever() -> None:
    import time

    time.sleep(3600)


client = Client()
assert [client[0].apply_sync(abs, -number) for number in (1, 2)] == [1, 2]
assert client.load_balanced_view().apply_sync(abs, -3) == 3
result = client.load_balanced_view().apply_async(sleep_for_ever)
print("ready", flush=True)
result.get()
