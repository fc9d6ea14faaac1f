"""The fitted value model as a document: parameters, how well they fit, what they rest on, and an id made from its content.

A fit writes it, workers and readers only read it, every prediction names its id. Equal content gives the equal id on every
machine; anything changed by hand no longer matches its id and is refused.
"""

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


class Rejected(Struct, frozen=True, kw_only=True, gc=False):
    """A part of the model whose new fit was not used, and why: "timing", "spend", "margin", "segment:channel:mail", or
    "segments:country" where customers are told apart by something else.
    """

    part: str
    reason: Rejection
    detail: str


class TimingFit(Struct, frozen=True, kw_only=True, gc=False):
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


class SpendFit(Struct, frozen=True, kw_only=True, gc=False):
    """Fitted parameters of net value per order, in minor units.

    `customers` have ordered again with a mean value above zero, `left_out` with none above zero. `correlation` is that of mean
    value and number of orders: the model takes it to be nothing.
    """

    parameters: GammaGamma
    customers: int
    left_out: int
    log_likelihood: float
    standard_errors: dict[str, float]
    correlation: float
    as_of_day: int


class MarginFit(Struct, frozen=True, kw_only=True, gc=False):
    """Fitted parameters of margin per order, in minor units, from `customers` who have ordered again."""

    parameters: NormalNormal
    customers: int
    as_of_day: int


class Calibration(Struct, frozen=True, kw_only=True, gc=False):
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


class CohortOutlook(Struct, frozen=True, gc=False):
    """A cohort's orders after the first so far, and those expected within each of the outlook's `days`."""

    orders: int
    expected: tuple[float, ...]


class Outlook(Struct, frozen=True, kw_only=True, gc=False):
    """What a model expected of each cohort from a day on, kept so that a later fit can compare it with what came."""

    as_of_day: int
    days: tuple[int, ...]
    cohorts: dict[str, CohortOutlook]


class Heuristic(Struct, frozen=True, kw_only=True, gc=False):
    """Figures for rules of thumb while there is no model, and the reason why there is none.

    `interval_days` is the geometric mean of the days between purchases, `repeat_share` the share of buyers who bought again,
    `order_net_minor` and `order_margin_minor` the mean value and margin of an order after the first; null where nobody has.
    """

    reason: Absent
    interval_days: float
    repeat_share: float
    order_net_minor: float | None
    order_margin_minor: float | None


class ValueModel(Struct, frozen=True, kw_only=True, gc=False):
    """All that predictions need. `id` is made from the rest; build one with `named`.

    `first_day` and `as_of_day` bound the data (days since 1970-01-01 in the shop's time zone). `timing` null: `heuristic`
    holds. `net_percentiles` are the 1 to 99 % points of buyers' total net value. `segments` are fits of parts of the shop, by
    what `segmented_by` says: by channel or country; null where neither tells customers apart. `outlook` is what calibration will
    be measured by. `annual_discount` 0.1 means that money in a year is worth 1/1.1 of today's.
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
    margin: MarginFit | None = None
    calibration: Calibration | None = None
    outlook: Outlook | None = None
    rfm: RfmCuts | None = None
    net_percentiles: tuple[float, ...] = ()
    heuristic: Heuristic | None = None
    rejected: tuple[Rejected, ...] = ()
    annual_discount: float = 0.1

    def segment_of(self, origin: str) -> str | None:
        """The segment whose parameters hold for a customer of an origin; None where those of the whole shop do.

        Values that were not looked at one by one are "other". None too where her origin is not known, or her segment has no
        parameters of its own.
        """
        if self.segmented_by is None or (value := value_of(origin, self.segmented_by)) is None:
            return None
        name = value if value in self.segments else OTHER
        fit = self.segments.get(name)
        return name if fit is not None and fit.own_weight > 0.0 else None

    def timing_of(self, segment: str | None) -> Timing | None:
        """The timing parameters of a segment, the shop's where the segment has none of its own, None without a fit."""
        fit = self.segments.get(segment, self.timing) if segment is not None else self.timing
        return None if fit is None else fit.parameters


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
        raise ModelError(f"the value model is damaged ({error}): fit it anew with `regulars fit`") from None
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
