"""Laws of the population's counters: what orders add to them, one by one and in any order, is what the customers are.

A random history of orders (late, repeated, edited, cancelled, refunded, moved in time), of visits by campaigns and of countries
told on the way goes through the engine; the changes it tells are held against the counters of the profile as it stands, and
against those worked out from the ledger and the events alone, by code that shares nothing with the way they were kept.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles import statistics
from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.feedback_state import SURVEYS_MAX
from profiles.insight.log_histogram import bucket
from profiles.insight.rhythm import Rhythm, contribution, record
from profiles.insight.tallies import Tally, add, difference, merged
from profiles.merge import merge
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile, decode_profile
from profiles.state import Moment, Purchase
from profiles.supply import joined, own_pace, units_on_hand
from profiles.value.history import history_of
from profiles.value.purchases import NONE, Piece, Purchases, fold, moved
from profiles.value.tallies import tallies
from schemas import events
from schemas.events import Arrival, Campaign, Product
from tests.laws.histories import START_MS

DAY_MS = 86_400_000
BOOK = Book(catalogue=build_catalogue([{"product_id": "A", "supply_days": "10", "category": "tea"}]))
NOW = Moment(START_MS - 1)


@st.composite
def order_events(draw: st.DrawFn) -> list[Arrival]:
    """Events of up to a dozen orders over two years, and of a few visits that may have won her."""
    told: list[Arrival] = []
    for number in range(draw(st.integers(1, 12))):
        day, order_id = draw(st.integers(0, 700)), f"o{number}"
        products = tuple(
            Product(product_id=name, price_minor=draw(st.integers(0, 5_000)), quantity=1, category=category)
            for name, category in draw(st.lists(st.sampled_from((("A", "tea"), ("B", "jam"))), max_size=2))
        )
        cost = draw(st.sampled_from((None, None, 300)))
        told.append(
            _event(
                events.OrderCompleted,
                day,
                f"c{number}",
                order_id=order_id,
                products=products,
                shipping_cost_minor=cost,
            )
        )
        what = draw(st.sampled_from(("nothing", "again", "refund", "cancel", "edit", "earlier")))
        if what == "refund":
            amount = draw(st.integers(1, 6_000))
            told.append(_event(events.OrderRefunded, day + 3, f"r{number}", order_id=order_id, amount_minor=amount))
        elif what == "again":
            told.append(replace(told[-1], event=replace(told[-1].event, message_id=f"a{number}")))
        elif what == "cancel":
            told.append(_event(events.OrderCancelled, day + 1, f"x{number}", order_id=order_id))
        elif what == "edit":
            told.append(_event(events.OrderUpdated, day + 2, f"u{number}", order_id=order_id, revenue_minor=777))
        elif what == "earlier":
            told.append(_event(events.OrderCompleted, max(0, day - 40), f"e{number}", order_id=order_id))
    for number in range(draw(st.integers(0, 3))):
        source, day = draw(st.sampled_from(("mail", "search", None))), draw(st.integers(0, 700))
        campaign = None if source is None else Campaign(source=source)
        told.append(_event(events.PageViewed, day, f"v{number}", number + 1, channel="browser", campaign=campaign))
    countries = draw(st.lists(st.sampled_from((None, None, "DE", "at")), min_size=len(told), max_size=len(told)))
    return [
        one if country is None else replace(one, event=replace(one.event, country=country))
        for one, country in zip(told, countries, strict=True)
    ]


def _event(kind: type[events.Event], day: int, message_id: str, ms: int = 0, **fields: Any) -> Arrival:
    at_ms = START_MS + day * DAY_MS + ms
    return Arrival(
        kind(message_id=message_id, timestamp_ms=at_ms, user_id="ada", **fields), at_ms, at_ms, "user_id:ada", "ada"
    )


def dealt_to_sides(told: list[Arrival]) -> st.SearchStrategy[list[tuple[Arrival, str]]]:
    """Each event with the profile that sees it: the left one, the right one, or both."""
    side = st.sampled_from(("left", "right", "both"))
    return st.lists(side, min_size=len(told), max_size=len(told)).map(lambda sides: list(zip(told, sides, strict=True)))


def played(told: list[Arrival], name: str = "user_id:ada") -> tuple[Profile, Ledger, Tally]:
    """Profile and ledger after these events, and all changes of counters that were told on the way."""
    profile, ledger, engine, counted = Profile(name), Ledger(complete=True), Engine(BOOK, ()), Tally()
    for arrival in told:
        engine.step(profile, arrival, NOW, ledger, [])
        add(counted, ledger.counted)
        ledger.counted.clear()
    return profile, ledger, counted


def from_scratch(entries: list[OrderEntry], told: list[Arrival]) -> Tally:
    """The counters of a customer from the entries of her ledger and what her events say, by plain sums."""
    placed = [
        one.placed_ms for one in entries if one.placed_ms is not None and one.contribution and one.contribution.counted
    ]
    visits = sorted(
        (one.time_ms, one.event.campaign.source or "")
        for one in told
        if one.event.campaign is not None and placed and one.time_ms <= min(placed)
    )
    channel = visits[-1][1] if visits else "direct"
    countries = sorted((one.time_ms, one.event.country) for one in told if one.event.country is not None)
    country = countries[-1][1].upper() if countries else ""
    origin = f"|{'' if channel == 'direct' else channel}|{country}" if country or channel != "direct" else ""
    days: dict[int, list[int]] = {}
    months: dict[int, list[int]] = {}
    rhythms: dict[str, list[int]] = {}
    supply: list[tuple[int, str, int]] = []
    for entry in entries:
        part = entry.contribution
        if part is None or not part.counted or entry.placed_ms is None:
            continue
        on = datetime.fromtimestamp(entry.placed_ms / 1000, tz=UTC)
        day = (on.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days
        for sums, when in ((days, day), (months, on.year * 12 + on.month - 1)):
            if part.valued or sums is months:
                found = sums.setdefault(when, [0, 0, 0])
                for place, amount in enumerate((part.valued, part.shop.net, part.shop.margin)):
                    found[place] += amount
        everything = any(refund.amount is None and not refund.units for refund in entry.refunds.values())
        units = sum(line.product_id == "A" for line in entry.lines)
        if units and not everything:
            supply.append((entry.placed_ms, entry.order_id, units))
        for product_id in {line.product_id for line in entry.lines if not everything}:
            category = "tea" if product_id == "A" else "jam"
            for key in {category, *({f"{category}/A"} if product_id == "A" else ())}:
                rhythms.setdefault(key, []).append(day)
    total: Tally = {}
    history = history_of((day, net, margin) for day, (_, net, margin) in days.items())
    for name, amount in tallies(history).items():
        apart = name.startswith(("buyers|", "spend|", "margin|", "spread|"))
        add(total, {f"value:{name}{origin if apart else ''}": amount})
    if days:
        first, *later = sorted(days)
        cohort = min(month for month, (orders, _, _) in months.items() if orders)
        cells: Counter[str] = Counter({f"cohort:size|{channel}|{cohort}": 1, f"cohort:first|{first}": 1})
        for within in (30, 60, 90, 180, 365):
            cells[f"cohort:again{within}|{first}"] = 1 if later and later[0] - first <= within else 0
        for month, (orders, net, margin) in months.items():
            where = f"{channel}|{cohort}|{max(0, month - cohort)}"
            cells.update({f"cohort:active|{where}": orders > 0, f"cohort:orders|{where}": orders})
            cells.update({f"cohort:net|{where}": net, f"cohort:margin|{where}": margin})
        add(total, {cell: amount for cell, amount in cells.items() if amount})
    for key, bought in rhythms.items():
        rhythm = Rhythm()
        for on_day in sorted(bought):
            record(rhythm, on_day)
        add(total, {f"gaps:{name}:{key}": amount for name, amount in contribution(rhythm).items()})
    add(total, foretold_from_scratch(sorted(supply)))
    return total


def foretold_from_scratch(bought: list[tuple[int, str, int]]) -> Tally:
    """The counters of what was foretold and what came, from (time, order, units) of all purchases of what lasts ten days."""
    total: Counter[str] = Counter()
    for number, (at_ms, _, _) in enumerate(bought):
        if number + 1 < len(bought) and bought[number + 1][0] == at_ms:
            continue  # all here fall on the first moment of their day
        known = joined([Purchase(ms, order_id, float(units)) for ms, order_id, units in bought[: number + 1]])
        days_each, _ = own_pace(known, 10.0, 3.0)
        lasts_ms = round(units_on_hand(known, days_each) * days_each * DAY_MS)
        empty = (known[-1][0] + lasts_ms - at_ms) // DAY_MS
        first, last = max(1, empty - 7), max(1, empty + 7)
        outcome = "open"
        if number + 1 < len(bought):
            gap = (bought[number + 1][0] - at_ms) // DAY_MS
            outcome = "early" if gap < first else "late" if gap > last else "hit"
        total[f"foretold:{outcome}|word|{(at_ms // DAY_MS + last) // 7}"] += 1
    return dict(total)


@given(order_events(), st.randoms(use_true_random=False))
def test_counters_are_those_of_the_ledger_whatever_the_order_of_arrival_and_however_often(
    told: list[Arrival], chance: Any
) -> None:
    profile, ledger, counted = played(told)
    mixed = [*told, *told[: len(told) // 2]]
    chance.shuffle(mixed)
    other, _, counted_mixed = played(mixed)

    assert counted == from_scratch(ledger.all(), told)
    assert counted == statistics.counters(profile, BOOK)
    assert counted_mixed == counted
    assert other.purchases.history == profile.purchases.history


@given(order_events(), st.data())
def test_counters_of_merged_customers_are_those_of_one_who_did_it_all(told: list[Arrival], data: st.DataObject) -> None:
    dealt = data.draw(dealt_to_sides(told))
    whole, _, counted = played(told)
    left, left_ledger, left_counted = played([one for one, side in dealt if side != "right"])
    right, right_ledger, right_counted = played([one for one, side in dealt if side != "left"], "anonymous_id:7")
    parted = merged([left_counted, right_counted])
    before = merged([statistics.counters(left, BOOK), statistics.counters(right, BOOK)])
    assert parted == before

    merge(left, left_ledger, right, right_ledger.all(), BOOK)

    assert merged([parted, difference(statistics.counters(left, BOOK), before)]) == counted
    assert left.purchases.history == whole.purchases.history


@given(order_events())
def test_taking_a_customer_out_leaves_nothing(told: list[Arrival]) -> None:
    profile, _, counted = played(told)
    stored = decode_profile(profile.pack())

    assert merged([counted, difference({}, statistics.counters(stored, BOOK))]) == {}


@st.composite
def survey_events(draw: st.DrawFn) -> list[Arrival]:
    """Answers to a few surveys, corrected now and then, and steps of the cases that low ones open."""
    told: list[Arrival] = []
    for number in range(draw(st.integers(1, 14))):
        survey, order = draw(st.sampled_from(("s1", "s2", "s3", None))), draw(st.sampled_from((None, "o1")))
        day = draw(st.integers(0, 60))
        if draw(st.booleans()):
            asked_ms = draw(st.none() | st.just(START_MS + (day - 2) * DAY_MS))
            fields: dict[str, Any] = {
                "score": draw(st.integers(0, 10)),
                "survey_id": survey,
                "order_id": order,
                "asked_at_ms": asked_ms,
            }
            told.append(_event(events.NpsSubmitted, day, f"n{number}", **fields))
        else:
            state = draw(st.sampled_from(("assigned", "contacted", "resolved", "verified")))
            case_id = draw(st.sampled_from(("s1", "s2|o1", "s3")))
            told.append(_event(events.CaseUpdated, day, f"k{number}", case_id=case_id, state=state))
    return told


def said_from_scratch(told: list[Arrival]) -> Tally:
    """The counters of answers and cases from the events alone: of each survey the last answer, of each step the first."""
    answers: dict[str, tuple[int, int, int, str]] = {}  # when, what, asked for on which day, of which kind
    lows: dict[str, int] = {}
    steps: dict[tuple[str, str], int] = {}
    for arrival in told:
        event, at_ms = arrival.event, arrival.time_ms
        if isinstance(event, events.CaseUpdated):
            steps[event.case_id, event.state] = min(at_ms, steps.get((event.case_id, event.state), at_ms))
        elif isinstance(event, events.NpsSubmitted):
            key = "|".join(part for part in (event.survey_id, event.order_id) if part) or event.message_id
            day = (at_ms if event.asked_at_ms is None else event.asked_at_ms) // DAY_MS
            kind = "relational" if event.order_id is None else "transactional"
            known = answers.get(key)
            if known is None or (at_ms, -event.score, day) > (known[0], -known[1], known[2]):
                answers[key] = (at_ms, event.score, day, kind)
            if event.score <= 6:
                lows[key] = min(at_ms, lows.get(key, at_ms))
    total: Counter[str] = Counter()
    about_shop = [key for key, answer in answers.items() if answer[3] == "relational"]
    last = max(about_shop, key=lambda key: (answers[key][2], answers[key][0], key), default=None)
    for key, (_, score, day, kind) in answers.items():
        total[f"nps:{kind}.{day}.answered.all"] += 1
        if kind == "transactional" or key == last:
            group = "detractors" if score < 7 else "passives" if score < 9 else "promoters"
            total[f"nps:{kind}.{day}.{group}.all"] += 1
        if score > 6:
            continue
        opened, contacted = lows[key] // DAY_MS, steps.get((key, "contacted"))
        closed = (key, "resolved") in steps or (key, "verified") in steps
        total[f"cases:{opened}.opened"] += 1
        total[f"cases:{opened}.resolved"] += closed
        total[f"cases:{opened}.waiting"] += not closed and contacted is None
        if contacted is not None:
            total[f"cases:{opened}.contacted"] += 1
            total[f"cases:{opened}.wait.{bucket(max(0, contacted - lows[key]) // 60_000)}"] += 1
    return {name: count for name, count in total.items() if count}


@given(survey_events(), st.randoms(use_true_random=False))
def test_what_customers_say_is_counted_as_it_stands_whatever_the_order_of_arrival(
    told: list[Arrival], chance: Any
) -> None:
    profile, _, counted = played(told)
    mixed = [*told, *told[: len(told) // 2]]
    chance.shuffle(mixed)

    assert counted == said_from_scratch(told)
    assert counted == statistics.counters(profile, BOOK)
    assert played(mixed)[2] == counted


@given(survey_events(), st.data())
def test_what_two_profiles_of_a_customer_said_is_counted_as_if_it_had_been_one(
    told: list[Arrival], data: st.DataObject
) -> None:
    dealt = data.draw(dealt_to_sides(told))
    left = played([one for one, side in dealt if side != "right"])[0]
    right, right_ledger, _ = played([one for one, side in dealt if side != "left"], "anonymous_id:7")

    merge(left, Ledger(complete=True), right, right_ledger.all(), BOOK)

    assert statistics.counters(left, BOOK) == said_from_scratch(told)


@given(survey_events())
def test_an_erased_customer_has_said_nothing(told: list[Arrival]) -> None:
    assert played([*told, _event(events.EraseCustomer, 90, "gone", request_id="r1")])[2] == {}


def test_a_customer_who_answers_without_end_leaves_the_score_by_her_oldest_answers() -> None:
    told = [
        _event(events.NpsSubmitted, day, f"n{day}", score=day % 11, survey_id=f"s{day}", order_id="o1")
        for day in range(SURVEYS_MAX + 9)
    ]
    profile, _, counted = played(told)

    assert counted == statistics.counters(profile, BOOK)
    assert sum(count for name, count in counted.items() if ".answered." in name) == SURVEYS_MAX


@given(
    st.lists(
        st.tuples(
            st.integers(0, 11), st.none() | st.tuples(st.integers(0, 60), st.integers(0, 99), st.integers(-9, 99))
        )
    )
)
def test_purchases_kept_with_every_change_are_those_of_all_of_them(changes: list[tuple[int, Piece | None]]) -> None:
    past, pieces = NONE, dict[int, Piece]()
    for order, new in changes:

        def others(order: int = order) -> list[Piece]:
            return [piece for name, piece in pieces.items() if name != order]

        past = moved(past, pieces.get(order), new, others)
        if new is None:
            pieces.pop(order, None)
        else:
            pieces[order] = new
        whole = fold(pieces.values())
        assert (past.history, past.second_day) == (whole.history, whole.second_day)
        assert past.recent == whole.recent[len(whole.recent) - len(past.recent) :]
        assert past.recent or not pieces


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 99), st.integers(-9, 99)), min_size=1, max_size=60))
def test_orders_that_come_in_time_never_ask_for_the_others(bought: list[Piece]) -> None:
    past = NONE
    for piece in sorted(bought, key=lambda piece: piece[0]):
        past = moved(past, None, piece, _nobody)

    assert (past.history, past.recent) == (fold(bought).history, fold(bought).recent)
    assert msgspec.json.decode(msgspec.json.encode(past), type=Purchases) == past


def _nobody() -> list[Piece]:
    raise AssertionError("asked for all orders")


def test_goods_of_an_unknown_order_that_come_back_leave_the_counters_alone() -> None:
    bought = _event(events.OrderCompleted, 0, "m1", order_id="o1", revenue_minor=4290, currency="USD")
    returned = _event(events.OrderReturned, 1, "m2", order_id="o2")
    profile, _, counted = played([bought, returned])

    assert counted == statistics.counters(profile, BOOK)
