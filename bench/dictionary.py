"""The dictionary that profiles are compressed with: what it saves in shops it was not made from, and how it was made.

    python -m bench.dictionary
    python -m bench.dictionary --make profiles.zdict

It is made from the profiles and ledgers of two made-up shops: the year that the tests check the triggers by, and the shop of
`regulars simulate`. It is weighed on two others, the typical buyers and the visitors of the benchmarks.
"""

import argparse
import json
import timeit
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import zstandard

from bench.generator import Scenario, records
from bench.typical_buyer import buyers
from profiles.book import Book
from profiles.engine import Engine
from profiles.state import encode
from profiles.triggers import BUILT_IN
from schemas.decode import Decoder
from streams.embedded import Embedded
from streams.packing import DICTIONARY_ID, LEVEL, pack, unpack
from streams.simulation.run import simulate, simulated_book
from streams.simulation.world import World
from tests.year.shop import lines, year

SIZE: Final = 16_384
SAMPLES: Final = 800
"""Of the profiles and of the ledger entries of each shop."""
BATCH: Final = 500
ROUNDS: Final = 5


class Stored(NamedTuple):
    """Texts as they would be stored."""

    profiles: list[bytes]
    entries: list[bytes]


def of_the_year() -> Stored:
    """What is stored after the year of the tests' shop."""
    return _played(line.encode() for line in lines(year(7, 1_500)))


def of_the_simulation() -> Stored:
    """What is stored at the end of a simulated shop."""
    found: list[Stored] = []
    simulate(World(3, 1_200, 300), simulated_book(), finish=lambda run: found.append(stored_in(run)))
    return found[0]


def stored_in(run: Embedded) -> Stored:
    """Everything that a run in memory stores."""
    everybody = list(run.profiles())
    entries = [encode(entry) for profile in everybody for entry in run.ledger(profile.id).values()]
    return Stored([profile.pack() for profile in everybody], entries)


def made() -> bytes:
    """A dictionary. What profiles hold changes with the engine, so it is made once and then kept as a file."""
    draw = Random(1)
    samples: list[bytes | bytearray | memoryview] = []
    for shop in (of_the_year(), of_the_simulation()):
        for texts in shop:
            samples += draw.sample(texts, SAMPLES)
    return zstandard.train_dictionary(SIZE, samples, dict_id=DICTIONARY_ID, level=LEVEL).as_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description="What the dictionary of profiles saves.")
    parser.add_argument("--make", type=Path, metavar="FILE", help="make a dictionary instead")
    asked = parser.parse_args()
    if asked.make:
        asked.make.write_bytes(made())
        return 0
    shops = {
        "typical buyers": _played(record.value for record in buyers(600, 8)),
        "visitors": _played(record.value for record in records(Scenario(events=40_000, customers=2_000))),
    }
    for name, stored in shops.items():
        for what, texts in zip(("profile", "ledger entry"), stored, strict=True):
            frames = [pack(text) for text in texts]
            print(
                f"{name:16}{what:14}{_mean(texts):7,.0f} bytes {_mean(frames):7,.0f} compressed "
                f"{_us(pack, texts):6.1f} us to compress {_us(unpack, frames):5.1f} us to read"
            )
    return 0


def _played(values: Iterable[bytes]) -> Stored:
    def received_ms(value: bytes) -> int:
        event = json.loads(value)
        return int(event.get("received_at_ms") or event["timestamp_ms"])

    with Embedded(Engine(Book(), BUILT_IN), Decoder("USD"), on_row=lambda _: None, batch_records=BATCH) as run:
        run.feed((value, received_ms(value)) for value in values)
        return stored_in(run)


def _mean(texts: list[bytes]) -> float:
    return sum(map(len, texts)) / len(texts)


def _us(work: Callable[[bytes], bytes], texts: list[bytes]) -> float:
    """Microseconds for one, in the best of some rounds."""
    return min(timeit.repeat(lambda: [work(text) for text in texts], number=1, repeat=ROUNDS)) / len(texts) * 1e6


if __name__ == "__main__":
    raise SystemExit(main())
