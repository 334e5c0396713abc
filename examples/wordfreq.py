"""The words used most in a few texts: a list scattered over the engines, counted where it is, and the counts put together.

    ipcluster run -n 5 examples/wordfreq.py [FILE ...]

prints the number of words and the ten most frequent. Without FILE it reads data/texts/ beside this script (five short public-domain
texts, 3,471 words; "the" comes first with 209).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

from mpikernel import Client, Reference

TEXTS = Path(__file__).resolve().parent / "data" / "texts"
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def count_words(paragraphs: list[str]) -> Counter[str]:
    """Runs on an engine."""
    return Counter(word for paragraph in paragraphs for word in WORD.findall(paragraph.lower()))


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or sorted(TEXTS.glob("*.txt"))
    everything = [paragraph for path in paths for paragraph in path.read_text(encoding="utf-8").split("\n\n")]

    engines = Client()[:]
    engines.scatter("paragraphs", everything, block=True)
    counts: Counter[str] = sum(engines.apply_sync(count_words, Reference("paragraphs")), Counter())  # each engine counts its own

    print(f"{counts.total():,} words in {len(everything)} paragraphs of {len(paths)} files, {len(counts):,} different ones")
    for word, count in counts.most_common(10):
        print(f"{count:6}  {word}")


if __name__ == "__main__":
    main()
