"""How a setting is described: name, unit, bounds, why its default is what it is, what happens at the extremes."""

import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct
from typing_extensions import override

ENV_PREFIX = "REGULARS_"
_MASK = "********"


def about(
    text: str,
    *,
    unit: str = "",
    why: str,
    extremes: str,
    secret: bool = False,
    ge: int | None = None,
    le: int | None = None,
    gt: float | None = None,
    lt: float | None = None,
) -> Meta:
    """What a setting's line in the table says, and its bounds."""
    bounds: dict[str, Any] = {
        name: bound for name, bound in (("ge", ge), ("le", le), ("gt", gt), ("lt", lt)) if bound is not None
    }
    extra = {"unit": unit, "why": why, "extremes": extremes, "secret": secret}
    return Meta(description=text, extra=extra, **bounds)


FORMS: dict[str, str] = {}
"""Words for each pattern of a setting's text, by the pattern as msgspec quotes it."""


def form(pattern: str, words: str) -> Meta:
    """The pattern that a text must match, and what a refusal says of it: people read `words`, not regular expressions."""
    FORMS[repr(pattern)] = words
    return Meta(pattern=pattern)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings; its text form hides what is secret."""

    @override
    def __repr__(self) -> str:
        parts = (f"{item.name}={item.masked(getattr(self, item.name))!r}" for item in items(type(self), ""))
        return f"{type(self).__name__}({', '.join(parts)})"


class Setting(Struct, frozen=True, kw_only=True):
    """One line of the settings table."""

    path: str
    name: str
    unit: str
    default: Any
    meaning: str
    why: str
    extremes: str
    secret: bool = False
    type: Any = str

    @property
    def env(self) -> str:
        """Its environment variable."""
        return ENV_PREFIX + self.path.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return "--" + self.path.replace(".", "-").replace("_", "-")

    def masked(self, value: Any) -> Any:
        """A value of this setting as people may see it: without what is secret of it."""
        if not self.secret or not value:
            return _without_password(value)
        return _place(value) if self.unit == "URL" else _MASK

    def shown(self, value: Any) -> str:
        """The same as a text."""
        masked = self.masked(value)
        return ", ".join(masked) if isinstance(masked, tuple) else str(masked)


def items(section: type[Section], path: str) -> Iterator[Setting]:
    """The settings of a section, their paths starting with `path`."""
    hints = get_type_hints(section, include_extras=True)
    for field in msgspec.structs.fields(section):
        base, *metas = get_args(hints[field.name])
        meta = next(meta for meta in metas if isinstance(meta, Meta) and meta.extra)
        extra = meta.extra or {}
        yield Setting(
            path=f"{path}.{field.name}",
            name=field.name,
            unit=extra["unit"],
            default=None if field.default is msgspec.NODEFAULT else field.default,
            meaning=meta.description or "",
            why=extra["why"],
            extremes=extra["extremes"],
            secret=extra["secret"],
            type=base,
        )


def _without_password(value: Any) -> Any:
    """A value fit for showing: the passwords inside a URL are masked."""
    if not isinstance(value, str) or "://" not in value:
        return value
    # A password may hold an @ as it is; the last one before the path ends it.
    shown = re.sub(r"(://[^:/@]*):[^/?#]*@", rf"\1:{_MASK}@", value)
    return re.sub(r"([?&][^=&]*password=)[^&#]+", rf"\1{_MASK}", shown)


def _place(url: str) -> str:
    """Where a URL leads that is itself a secret: many receivers know their callers by a token in path or query.

    >>> _place("https://user:password@hooks.example:8443/T0/B0/token?key=1")
    'https://hooks.example:8443/********'
    """
    scheme, _, rest = url.partition("://")
    place = f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0].rpartition('@')[2]}"
    return place if url == place else f"{place}/{_MASK}"
