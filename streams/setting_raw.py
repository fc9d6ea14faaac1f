"""What an entry `[raw.<name>]` says: a topic of the shop's own that `regulars bridge` reads, and the form it is in."""

from typing import Annotated

from streams.setting import Section, about, form


class Raw(Section, frozen=True, kw_only=True):
    """A topic in a tracker's own form: `[raw.web]`. The name is the source of events that name none."""

    topic: Annotated[
        str,
        form("^[a-zA-Z0-9._-]{1,249}$", "the name of a topic: letters, digits, `.`, `_` and `-`, at most 249"),
        about(
            "The topic's whole name on the broker. Partitions and keys may be anything.",
            why="None is given.",
            extremes="A topic that workers read themselves is refused.",
        ),
    ]
    format: Annotated[
        str,
        about(
            "What its records are, by the name of a source that is known; canonical events are taken besides.",
            why="None is given: a guess would find out late.",
            extremes="Another name is refused at start. A record without the marks of this source is set aside.",
        ),
    ]
