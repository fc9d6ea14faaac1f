"""`regulars`, which is `python -m streams`. Ctrl-C is heard from here on: the command line takes a while to load."""

from collections.abc import Sequence

from streams.leaving import end_on_interrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    end_on_interrupt()
    from streams.cli import main

    main(arguments)


if __name__ == "__main__":  # processes started by this one import it again
    main()
