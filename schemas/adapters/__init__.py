"""Foreign forms of events, each turned into canonical ones by a pure function.

`ADAPTERS` is the table of the sources that are known. A new one is a module beside this file and a line in the table.
`configured` gives the table with other options than the vendors' documents call for.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.adapters import braze, customerio, data_layer, ga4, segment, shopify, shopify_pixel, snowplow
from schemas.adapters.adapter import Adapter

ADAPTERS: tuple[Adapter, ...] = (
    shopify.ADAPTER,
    shopify_pixel.ADAPTER,
    snowplow.ADAPTER,
    ga4.ADAPTER,
    data_layer.ADAPTER,
    braze.ADAPTER,
    customerio.ADAPTER,
    segment.ADAPTER,
)
"""Every source, in the order in which they are asked. Segment comes last: it takes any object with a `type`."""


class OptionsError(ValueError):
    """Options of a source can't be used: there is no such source or option, or its value is of the wrong kind.

    Nothing is started with them. Correct the place the text names.
    """


def configured(options: Mapping[str, Mapping[str, Any]]) -> tuple[Adapter, ...]:
    """The sources with these options, {source: {option: value}}; what is not named keeps its default. Raises OptionsError."""
    known = {adapter.name: adapter for adapter in ADAPTERS}
    for name in options:
        if name not in known:
            raise OptionsError(f"there is no source {name!r}; there are {', '.join(known)}")
    return tuple(_with(adapter, options.get(name, {})) for name, adapter in known.items())


def _with(adapter: Adapter, given: object) -> Adapter:
    if not isinstance(given, Mapping):
        raise OptionsError(f"{adapter.name} must be a table: [{adapter.name}]")
    if not given:
        return adapter
    there = type(adapter.options).__struct_fields__
    for option in given:
        if option not in there:
            raise OptionsError(f"[{adapter.name}] has no option {option!r}; there are {', '.join(there) or 'none'}")
    try:
        return replace(adapter, options=msgspec.convert(dict(given), type(adapter.options)))
    except msgspec.ValidationError as error:
        raise OptionsError(f"[{adapter.name}]: {error}") from None
