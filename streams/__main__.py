"""`python -m streams` is `regulars`."""

from streams.cli import main

if __name__ == "__main__":  # processes started by this one import it again
    main()
