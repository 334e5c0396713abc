"""What calls print: captured for each call, whoever wrote it, and kept in the engine's log. Runs in a world of any size."""

from __future__ import annotations

import os
from pathlib import Path

from checks import raises, run_checks

from mpikernel import Client

client = Client()
everybody = client[:]
one = client[0]
balanced = client.load_balanced_view()
COUNT = len(client)


def prints() -> None:
    import sys

    print("to stdout")
    print("to stderr", file=sys.stderr)


def prints_in_c() -> None:
    """Without a flush: C's stdout is a file there, so it is buffered."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.puts(b"from puts")
    libc.printf(b"from printf %d\n", 7)


def prints_from_children() -> None:
    import os
    import subprocess
    import sys

    os.system("echo from a shell; echo and its stderr >&2")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    os.write(1, b"from a descriptor\n")


def prints_in_turn() -> None:
    import ctypes
    import os

    print("1")
    os.system("echo 2")
    print("3")
    ctypes.CDLL(None).puts(b"4")


def check_stdout_and_stderr_of_python() -> None:
    result = one.apply_async(prints)
    result.get()
    assert (result.stdout, result.stderr) == ("to stdout\n", "to stderr\n")
    assert result.metadata.stdout == "to stdout\n"


def check_each_engine_has_its_own() -> None:
    result = everybody.execute("from mpikernel import engine; print('I am', engine.id)")
    result.wait()
    assert result.stdout == [f"I am {number}\n" for number in client.ids]
    assert result.stderr == [""] * COUNT


def check_each_call_has_its_own() -> None:
    results = [one.apply_async(print, number) for number in range(5)]
    client.wait(results)
    assert [result.stdout for result in results] == [f"{number}\n" for number in range(5)]
    silent = one.apply_async(abs, 1)
    silent.wait()
    assert silent.stdout == ""


def check_tasks() -> None:
    result = balanced.map_async(print, range(4))
    result.wait()
    assert result.stdout == [f"{number}\n" for number in range(4)]


def check_c_code() -> None:
    result = one.apply_async(prints_in_c)
    result.get()
    assert result.stdout == "from puts\nfrom printf 7\n"


def check_children_and_descriptors() -> None:
    result = one.apply_async(prints_from_children)
    result.get()
    assert result.stdout == "from a shell\nfrom a child\nfrom a descriptor\n"
    assert result.stderr == "and its stderr\n"


def check_order_is_kept_between_python_and_what_flushes() -> None:
    result = one.apply_async(prints_in_turn)
    result.get()
    assert result.stdout == "1\n2\n3\n4\n"


def check_what_was_printed_before_an_exception_is_kept() -> None:
    result = one.execute("print('before'); 1 / 0")
    with raises(ZeroDivisionError):
        result.get()
    assert result.stdout == "before\n"


def check_text_without_an_end_of_line_and_text_that_is_no_text() -> None:
    result = one.execute("print('no end', end=''); import os; os.write(1, b' \\xff ')")
    result.get()
    assert result.stdout == "no end � "
    result = one.execute("print('na\\u00efve \\U0001f600', '\\udcff')")
    result.get()
    assert result.stdout == "naïve \U0001f600 ?\n"


def check_much_output_loses_its_middle_and_says_so() -> None:
    result = one.execute("print('first'); print('x' * 3_000_000); print('last')")
    result.get()
    assert result.stdout.startswith("first\nxxx")
    assert result.stdout.endswith("xxx\nlast\n")
    assert "left out here" in result.stdout
    assert "engine-0.out" in result.stdout
    assert len(result.stdout) < 2_000_000


def check_the_engines_log_has_it_all() -> None:
    log = Path(os.environ.get("EXPECTED_LOG", ".mpikernel/log"))
    text = (log / "engine-0.out").read_text(errors="replace")
    assert "from puts" in text
    assert "x" * 3_000_000 in text
    assert "to stderr" in (log / "engine-0.err").read_text()


def check_user_code_may_redirect_for_itself() -> None:
    one.execute("import io, contextlib", block=True)
    result = one.execute("with contextlib.redirect_stdout(io.StringIO()) as caught: print('inside')\nprint('outside'); caught.getvalue()")
    assert result.get() == "inside\n"
    assert result.stdout == "outside\n"


def check_logging() -> None:
    result = one.execute("import logging; logging.warning('careful')")
    result.get()
    assert result.stderr == "WARNING:root:careful\n"
    again = one.execute("logging.warning('again')")
    again.get()
    assert again.stderr == "WARNING:root:again\n"


run_checks(globals())
print("the script's own terminal")
