"""What can be wrong with a source of events."""


class SourceError(Exception):
    """A source cannot be read. The message says what is missing or wrong, and what to do; nothing after it was read.

    Operator action: install or repair what the message names, then run the command again.
    """
