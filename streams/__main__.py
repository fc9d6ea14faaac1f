"""`python -m streams` is `regulars`."""

from streams.cli import main

main()
