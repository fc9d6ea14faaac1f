"""Where models come from: a file, or the table that `regulars fit` writes them to; and how the running learn of new ones."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import replace

from profiles.book import Book
from profiles.models import Models, decode_models
from profiles.value.model import ModelError
from streams.table import TableError

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 10.0
"""A new document is taken at most so much later, between two batches."""


class ModelTable(Protocol):
    """What is asked of a table here."""

    async def models(self) -> bytes | None: ...


async def with_models(book: Book, table: ModelTable) -> Book:
    """The book with the models that the table holds; as it is where the table has none. Raises TableError, ModelError."""
    document = await table.models()
    return book if document is None else replace(book, models=in_currency(decode_models(document), book.shop_currency))


def in_currency(models: Models, shop_currency: str) -> Models:
    """The models without those of value where these are in another currency than the shop's: until the next fit nothing is
    foretold, rather than cents taken for yen.
    """
    value = models.value
    if value is None or value.currency == shop_currency:
        return models
    _log.warning(
        "the models of value are in %s, the shop's currency is %s: nothing of value is foretold until `regulars fit` has run",
        value.currency,
        shop_currency,
    )
    return replace(models, value=None)


class ModelWatch:
    """Looks at the table now and then, and hands over each new document's models, once.

    What can't be used is told in the log and passed over: the models in use stay.
    """

    def __init__(self, table: ModelTable, on_new: Callable[[Models], None], book: Book) -> None:
        self._table, self._on_new = table, on_new
        self._shop_currency = book.shop_currency
        self._id = book.models.id
        self._seen: bytes | None = None

    async def look(self) -> bool:
        """Look once; gives whether new models were handed over."""
        try:
            document = await self._table.models()
        except TableError as error:
            _log.info("the models could not be read: %s", error)
            return False
        if document is None or document == self._seen:
            return False
        self._seen = document
        try:
            models = decode_models(document)
        except ModelError as error:
            _log.warning("new models can't be used, those in use stay: %s", error)
            return False
        if models.id == self._id:
            return False
        self._id = models.id
        self._on_new(in_currency(models, self._shop_currency))
        _log.info("new models are in use", extra={"facts": {"models": models.id, "as_of_day": models.as_of_day}})
        return True

    async def keep(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)
