"""The ways to map a function over many items, and what happens when one of them fails.

    ipcluster run -n 5 examples/parallel_map.py

prints the number of primes below 10,000, 20,000, ... in order, then the same as they come (small ones overtake large ones), then an error
from an engine with the traceback that it had there.
"""

from __future__ import annotations

import traceback

from mpikernel import Client

LIMITS = range(100_000, 0, -10_000)  # the longest first, so that later ones overtake them


def primes_below(limit: int) -> tuple[int, int]:
    """Runs on an engine: (limit, how many primes are below it), by the sieve of Eratosthenes."""
    if limit < 2:
        raise ValueError(f"no primes below {limit}")
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return limit, sum(sieve)


def main() -> None:
    client = Client()
    engines = client[:]  # each engine gets one share of the items, fixed in advance
    balanced = client.load_balanced_view()  # each item goes to an engine that is free

    print("direct, in order:  ", engines.map_sync(primes_below, LIMITS)[:3], "...")
    print("balanced, in order:", balanced.map_sync(primes_below, LIMITS)[:3], "...")

    print("balanced, as they come:")
    for limit, count in balanced.imap(primes_below, LIMITS, ordered=False):
        print(f"  {count:5} primes below {limit:6}")

    print("and with one bad item:")
    try:
        balanced.map_sync(primes_below, [100, 1, 1000])
    except ValueError as error:
        traceback.print_exception(error)
        print(f"caught {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
