"""The ways to map a function over many items, and what happens when one of them fails.

    ipcluster run -n 5 examples/parallel_map.py

prints how many primes there are below 100,000, 90,000, ...: in order, then as they come (the last ones are the quickest), then what an
error on an engine looks like, with the traceback that it had there.
"""

from __future__ import annotations

import sys

from mpikernel import Client, CompositeError

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

    print("one bad item, its exception in its place:")
    for outcome in balanced.imap(primes_below, [100, 1, 1000], return_exceptions=True):
        print(f"  {outcome!r}")

    print("one bad item, raised:")
    try:
        balanced.map_sync(primes_below, [100, 1, 1000])
    except CompositeError as errors:  # an ExceptionGroup: one exception for each call that failed
        errors.print_tracebacks(file=sys.stdout)  # as they were on the engine


if __name__ == "__main__":
    main()
