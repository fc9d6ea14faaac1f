"""What was learned from all customers together, as one document: read-only, and exchanged as a whole between batches.

A fit writes it (`regulars fit`), workers and readers read it. Its id is made from its content: equal content has the equal id
on every machine, and a document changed by hand no longer matches its id and is refused. Every prediction names that id.
"""

from hashlib import sha256
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from profiles.insight.bundles import Bundles
from profiles.insight.pair_table import Recommendations
from profiles.insight.repurchase import RepurchaseModel
from profiles.value.model import ModelError, ValueModel
from schemas.nearest import wrong_in

VERSION: Final = 2
"""Highest version of the document that is read here: 2 where it holds bundles, 1 otherwise. A higher one is refused."""


class Models(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The models of an installation; None where none was fitted or given.

    `as_of_day` is the day of the data (since 1970-01-01 on the shop's calendar). `refused` says by part ("gaps") why there is
    no new fit of it and the last one stays; the value model's own refusals stand in it.
    """

    v: int = 1
    id: str = ""
    as_of_day: int = 0
    value: ValueModel | None = None
    """Orders to come, churn and worth of customers."""
    repurchase: RepurchaseModel | None = None
    """How long products last until they are bought again."""
    together: Recommendations | None = None
    """What is bought together with each product (`regulars pairs`)."""
    bundles: Bundles | UnsetType = UNSET
    """Sets of products that are bought with one another (`regulars pairs`); unset in what was written before there were any."""
    refused: dict[str, str] = {}


def named(models: Models) -> Models:
    """The models with the id of their content, in the form in which a reader will decode them (7 becomes 7.0)."""
    models = _MODELS.decode(encode_models(models))
    return replace(models, id=_id_of(models))


def encode_models(models: Models) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(models, order="deterministic")


def decode_models(document: bytes) -> Models:
    """The models in a JSON document. Raises ModelError where it can't be used."""
    try:
        version = _VERSIONED.decode(document).v
        if version > VERSION:
            raise ModelError(
                f"the models have version {version}, this program reads up to {VERSION}: update the program"
            )
        models = _MODELS.decode(document)
    except msgspec.MsgspecError as error:
        said = wrong_in(Models, error)
        raise ModelError(f"the document of models is damaged ({said}): fit anew with `regulars fit`") from None
    if models.id != _id_of(models):
        raise ModelError(f"the content of models {models.id!r} does not match their id: fit anew with `regulars fit`")
    return models


class _Versioned(Struct):
    v: int


_VERSIONED: Final = msgspec.json.Decoder(_Versioned)
_MODELS: Final = msgspec.json.Decoder(Models)


def _id_of(models: Models) -> str:
    return sha256(encode_models(replace(models, id=""))).hexdigest()[:16]
