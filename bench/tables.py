"""Markdown tables."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, figures: bool = True) -> str:
    """A table; its first column is text, the others figures, which stand to the right, or else text too.

    >>> print(table(["engine", "events/s"], [["A", "1,000"]]), end="")
    | engine | events/s |
    |---|---:|
    | A | 1,000 |
    """
    lines = [head, ["---"] + ["---:" if figures else "---"] * (len(head) - 1), *rows]
    shown = [f"| {' | '.join(lines[0])} |", f"|{'|'.join(lines[1])}|"]
    shown += [f"| {' | '.join(row)} |" for row in lines[2:]]
    return "\n".join(shown) + "\n"
