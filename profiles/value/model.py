"""The fitted value model as a document: parameters, how well they fit, what they rest on, and an id made from its content.

A fit writes it, workers and readers only read it, every prediction names its id. Equal content gives the equal id on every
machine; anything changed by hand no longer matches its id and is refused.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from profiles.value.absent import Absent
from profiles.value.margin import NormalNormal
from profiles.value.origin import OTHER, Dimension, value_of
from profiles.value.rfm import RfmCuts
from profiles.value.spend import GammaGamma
from profiles.value.timing import Timing
from schemas.nearest import wrong_in

VERSION: Final = 1
"""Version of the document. A reader that meets a higher one refuses it."""


class ModelError(ValueError):
    """A model document can't be used: damaged, changed by hand, or of a later version.

    Predictions go on with the model that is loaded. Fit anew, or update this program.
    """


class Rejection(StrEnum):
    """Why a fit was not used. The last good one stays, or there is none."""

    FEW_BUYERS = "few_buyers"
    FEW_REPEAT_BUYERS = "few_repeat_buyers"
    SHORT_HISTORY = "short_history"
    NOT_FINITE = "not_finite"
    NOT_CONVERGED = "not_converged"
    TOO_LARGE = "too_large"
    AT_BOUND = "at_bound"
    WORSE_THAN_LAST = "worse_than_last"
    LIKE_THE_SHOP = "like_the_shop"
    LESS_TELLING = "less_telling"


class Rejected(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A part of the model whose new fit was not used, and why: "timing", "spend" or "margin"; "segment:channel:mail" (ordering),
    "spend:channel:mail" or "margin:channel:mail"; "segments:country", "segments:spend:country" or "segments:margin:country" where
    customers are told apart by something else.
    """

    part: str
    reason: Rejection
    detail: str


class TimingFit(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Fitted parameters of ordering and leaving.

    `log_likelihood` is the sum over `customers` (time in weeks; comparable between fits of the same data).
    `standard_errors` are by parameter, empty where the curvature gives none. `as_of_day` is the day of the data: an older one
    than the model's means that a later fit was refused. `own_weight` is 1 for parameters of these customers alone, less where
    they were shrunk towards the shop's, 0 where they are the shop's.
    """

    parameters: Timing
    customers: int
    log_likelihood: float
    standard_errors: dict[str, float]
    as_of_day: int
    own_weight: float = 1.0


class SpendFit(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Fitted parameters of net value per order, in minor units.

    `customers` have ordered again with a mean value above zero, `left_out` with none above zero. `correlation` is that of mean
    value and number of orders: the model takes it to be nothing. `own_weight` as in TimingFit.
    """

    parameters: GammaGamma
    customers: int
    left_out: int
    log_likelihood: float
    standard_errors: dict[str, float]
    correlation: float
    as_of_day: int
    own_weight: float = 1.0


class MarginFit(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Fitted parameters of margin per order, in minor units, from `customers` who have ordered again.

    `standard_errors` has that of the mean, from the scatter found, whatever the shape of margins; empty where the mean was
    shrunk. `own_weight` as in TimingFit.
    """

    parameters: NormalNormal
    customers: int
    standard_errors: dict[str, float]
    as_of_day: int
    own_weight: float = 1.0


class Calibration(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Actual over predicted orders of the `days` up to `until_day`, overall and by month of first purchase ("2026-03").

    Expected orders and values are multiplied by it; probabilities are not. Small cohorts are shrunk to the overall factor.
    """

    days: int
    until_day: int
    overall: float
    cohorts: dict[str, float]

    def factor(self, cohort: str) -> float:
        """The factor of a cohort; the overall one for a cohort that was not there yet."""
        return self.cohorts.get(cohort, self.overall)


class CohortOutlook(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A cohort's orders after the first so far, and those expected within each of the outlook's `days`."""

    orders: int
    expected: tuple[float, ...]


class Outlook(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What a model expected of each cohort from a day on, kept so that a later fit can compare it with what came."""

    as_of_day: int
    days: tuple[int, ...]
    cohorts: dict[str, CohortOutlook]


class Heuristic(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Figures for rules of thumb while there is no model, and the reason why there is none.

    `interval_days` is the geometric mean of the days between purchases, `repeat_share` the share of buyers who buy again,
    `order_net_minor` and `order_margin_minor` the mean value and margin of an order after the first; null where nobody has.
    """

    reason: Absent
    interval_days: float
    repeat_share: float
    order_net_minor: float | None
    order_margin_minor: float | None


class ValueModel(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """All that predictions need. `id` is made from the rest; build one with `named`.

    `first_day` and `as_of_day` bound the data (days since 1970-01-01 in the shop's time zone). `timing` null: `heuristic`
    holds. `net_percentiles` are the 1 to 99 % points of buyers' total net value. `segments` are fits of parts of the shop, by
    what `segmented_by` says: by channel or country; null where neither tells customers apart. Each for itself, so are
    `spend_segments` by `spend_by` and `margin_segments` by `margin_by`. `outlook` is what calibration will be measured by.
    `annual_discount` 0.1 means that money in a year is worth 1/1.1 of today's.
    """

    v: int = VERSION
    id: str = ""
    currency: str
    first_day: int | None
    as_of_day: int
    buyers: int
    repeat_buyers: int
    timing: TimingFit | None = None
    segmented_by: Dimension | None = None
    segments: dict[str, TimingFit] = {}
    spend: SpendFit | None = None
    spend_by: Dimension | None = None
    spend_segments: dict[str, SpendFit] = {}
    margin: MarginFit | None = None
    margin_by: Dimension | None = None
    margin_segments: dict[str, MarginFit] = {}
    calibration: Calibration | None = None
    outlook: Outlook | None = None
    rfm: RfmCuts | None = None
    net_percentiles: tuple[float, ...] = ()
    heuristic: Heuristic | None = None
    rejected: tuple[Rejected, ...] = ()
    annual_discount: float = 0.1

    def segment_of(self, origin: str) -> str | None:
        """The segment whose parameters of ordering hold for a customer of an origin; None where those of the whole shop do.

        Values that were not looked at one by one are "other". None too where her origin is not known, or her segment has no
        parameters of its own.
        """
        return _segment_of(self.segmented_by, self.segments, origin)

    def spend_segment_of(self, origin: str) -> str | None:
        """The same for what an order is worth."""
        return _segment_of(self.spend_by, self.spend_segments, origin)

    def margin_segment_of(self, origin: str) -> str | None:
        """The same for the margin of an order."""
        return _segment_of(self.margin_by, self.margin_segments, origin)

    def timing_of(self, origin: str) -> Timing | None:
        """The parameters of ordering that hold for a customer of an origin, None without a fit."""
        segment = self.segment_of(origin)
        fit = self.timing if segment is None else self.segments[segment]
        return None if fit is None else fit.parameters

    def spend_of(self, origin: str) -> GammaGamma | None:
        """The same of net value per order."""
        segment = self.spend_segment_of(origin)
        fit = self.spend if segment is None else self.spend_segments[segment]
        return None if fit is None else fit.parameters

    def margin_of(self, origin: str) -> NormalNormal | None:
        """The same of margin per order."""
        segment = self.margin_segment_of(origin)
        fit = self.margin if segment is None else self.margin_segments[segment]
        return None if fit is None else fit.parameters


def _segment_of(
    by: Dimension | None, fits: Mapping[str, TimingFit] | Mapping[str, SpendFit] | Mapping[str, MarginFit], origin: str
) -> str | None:
    if by is None or (value := value_of(origin, by)) is None:
        return None
    name = value if value in fits else OTHER
    fit = fits.get(name)
    return name if fit is not None and fit.own_weight > 0.0 else None


def named(model: ValueModel) -> ValueModel:
    """The model with the id of its content, which it has in the form in which a reader will decode it (7 becomes 7.0)."""
    model = _MODEL.decode(encode_model(model))
    return replace(model, id=_id_of(model))


def encode_model(model: ValueModel) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(model, order="deterministic")


def decode_model(document: bytes) -> ValueModel:
    """The model in a JSON document. Raises ModelError where it can't be used."""
    try:
        version = _VERSIONED.decode(document).v
        if version > VERSION:
            raise ModelError(
                f"the value model has version {version}, this program reads up to {VERSION}: update the program"
            )
        model = _MODEL.decode(document)
    except msgspec.MsgspecError as error:
        said = wrong_in(ValueModel, error)
        raise ModelError(f"the value model is damaged ({said}): fit it anew with `regulars fit`") from None
    if model.id != _id_of(model):
        raise ModelError(
            f"the content of value model {model.id!r} does not match its id: fit it anew with `regulars fit`"
        )
    return model


class _Versioned(Struct):
    v: int


_VERSIONED: Final = msgspec.json.Decoder(_Versioned)
_MODEL: Final = msgspec.json.Decoder(ValueModel)


def _id_of(model: ValueModel) -> str:
    return sha256(encode_model(replace(model, id=""))).hexdigest()[:16]
