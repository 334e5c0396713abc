"""What engines print is shown on the script's terminal while they run. The test reads the terminal."""

from __future__ import annotations

from checks import wait_until

from mpikernel import Client

client = Client()
everybody = client[:]
shown = everybody.stream


def talk(count: int) -> None:
    import sys
    import time

    for number in range(count):
        print("line", number)
        sys.stderr.write(f"warning {number}\n")
    print("no end", end="")
    time.sleep(0.05)
    print(" of line")


everybody.apply_sync(talk, 200)
client[0].execute("print('executed')", silent=False, block=True)
client.load_balanced_view().apply_sync(print, "a task")
result = client[0].execute(
    "import time, os; print('early', flush=True); [time.sleep(0.01) for _ in range(1000) if not os.path.exists('seen')]"
)
wait_until(result.done)
print("stream flag", shown)
