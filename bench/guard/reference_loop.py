"""A loop in pure Python that never changes: what an interpreter build makes of it is the measure of everything else.

It does what the core does: look up and store in dicts, small integers and strings, attributes, method calls, lists, a JSON text.
Changing a line here moves every threshold; don't.
"""

import json


class Shelf:
    """A counter by name."""

    __slots__ = ("log", "names", "total")

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.log: list[tuple[str, int]] = []
        self.total = 0

    def put(self, name: str, amount: int) -> int:
        """Count, and keep the last few in a log."""
        count = self.names.get(name, 0) + amount
        self.names[name] = count
        self.total += amount
        self.log.append((name, count))
        if len(self.log) > 8:
            del self.log[0]
        return count


def turn(shelf: Shelf, number: int) -> str:
    """One iteration."""
    event = {"name": f"p{number % 97}", "amount": number % 7, "at": 1_700_000_000_000 + number}
    found = json.loads(json.dumps(event))
    count = shelf.put(found["name"], found["amount"])
    if count > 1_000:
        shelf.names[found["name"]] = 0
    largest = max(amount for _, amount in shelf.log)
    return f"{found['at']}:{largest}"


def run(iterations: int) -> str:
    """So many iterations; gives the last text, so that nothing can be left out."""
    shelf, last = Shelf(), ""
    for number in range(iterations):
        last = turn(shelf, number)
    return last
