"""All models of a shop from the counters of its population: what `regulars fit` runs, whatever the counters came from.

Parts are fitted each for itself. A part whose fit is refused keeps the last good one, and the document says why.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from profiles.catalogue import Catalogue, supply_key
from profiles.insight.repurchase import Key, RepurchaseModel
from profiles.insight.repurchase_plan import SEPARATOR
from profiles.insight.tallies import Tally
from profiles.models import Models, encode_models, named
from profiles.statistics import part_of
from streams.fitting.build import FitPlan, fit_model
from streams.insight.fit_repurchase import fit_repurchase

GAPS_MIN: Final = 30
"""A category or product with fewer intervals than this is not learned: the merchant's word or the category stands for it."""
KEYS_MAX: Final = 1_000
SHAPES_MAX: Final = 64
"""Bounds of the document: keys learned, and keys with shapes of their own, those with the most intervals."""
DOCUMENT_BYTES_MAX: Final = 900_000
"""What fits into one record of Kafka."""


class DocumentTooLarge(ValueError):
    """The fitted document is larger than a record may be. The last one stays. Report it: it is a fault of ours."""


def fit_models(
    counters: Mapping[str, int],
    today: int,
    plan: FitPlan,
    *,
    last: Models | None = None,
    catalogue: Catalogue | None = None,
) -> Models:
    """The models of a shop on a day, from the counters of all its partitions added up.

    `last` are the models in use, where fits begin and what stays where one is refused. Raises CountsError for counters of
    value that can't be, DocumentTooLarge.
    """
    before = Models() if last is None else last
    refused: dict[str, str] = {}
    value = fit_model(part_of(dict(counters), "value"), today, plan, before.value)
    repurchase = before.repurchase
    gaps = _by_key(part_of(dict(counters), "gaps"))
    learned = sum(tally.get("gaps", 0) for tally in gaps.values())
    if learned < GAPS_MIN:
        refused["repurchase"] = (
            f"few_gaps: {learned} intervals between purchases of the same category, or the same product with supply_days; "
            f"{GAPS_MIN} are needed"
        )
    else:
        try:
            repurchase = _bounded(fit_repurchase(gaps, today, _words(catalogue or Catalogue())))
        except ValueError as error:
            refused["repurchase"] = f"counters: {error}; compare them by `regulars audit`"
    models = named(replace(before, as_of_day=today, value=value, repurchase=repurchase, refused=refused))
    size = len(encode_models(models))
    if size > DOCUMENT_BYTES_MAX:
        raise DocumentTooLarge(f"the models take {size:,} bytes, {DOCUMENT_BYTES_MAX:,} are possible")
    return models


def refusals(models: Models) -> list[tuple[str, str]]:
    """Every part whose fit was refused, and why, for people."""
    found = sorted(models.refused.items())
    if models.value is not None:
        found += [(one.part, f"{one.reason}: {one.detail}") for one in models.value.rejected]
        if models.value.heuristic is not None:
            found.append(("value", f"{models.value.heuristic.reason}: rules of thumb stand in"))
    return found


def _by_key(counters: Tally) -> dict[str, Tally]:
    """Counters "<counter>:<key>" by key."""
    found: dict[str, Tally] = {}
    for name, amount in counters.items():
        counter, _, key = name.partition(":")
        found.setdefault(key, {})[counter] = amount
    return found


def _words(catalogue: Catalogue) -> dict[str, float]:
    """How long things last by the merchant's word, by the keys of rhythms."""
    words = {path: facts.supply_days for path, facts in catalogue.categories.items() if facts.supply_days is not None}
    for product_id, facts in catalogue.products.items():
        if facts.supply_days is not None:
            words[f"{facts.category or ''}{SEPARATOR}{supply_key(product_id, facts)}"] = facts.supply_days / facts.share
    return words


def _bounded(model: RepurchaseModel) -> RepurchaseModel:
    """The model without keys that too little is known of, and within the bounds of a document."""
    ranked = sorted(model.keys.items(), key=lambda item: (-item[1].gaps, item[0]))
    kept: dict[str, Key] = {}
    for place, (name, key) in enumerate(ranked[:KEYS_MAX]):
        if key.gaps >= GAPS_MIN:
            kept[name] = key if place < SHAPES_MAX else replace(key, shapes=None)
    return replace(model, keys=dict(sorted(kept.items())))
