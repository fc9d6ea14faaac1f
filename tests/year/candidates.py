"""What could have been sent: for every trigger each moment at which it is due, by plain queries over all events.

A candidate lives from `armed` on, is due at `due`, and is gone from `gone` on (an order, a newer change, a newer checkout).
The queries know nothing of what was really sent; that is for `tests.year.reference`.
"""

import itertools
import math
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from tests.year.shop import DAY_MS, HOUR_MS, MINUTE_MS, SHOP_ZONE, SUPPLIES, Event

NEVER: Final = 1 << 60
ORDERS_OF_THE_HOUR: Final = 8
SHRINKAGE: Final = 3.0


class Candidate(NamedTuple):
    """`anchor` is the message id its trigger id is made of; `changed` when its ground last changed; `about` the cart,
    or by what a welcome opens.
    """

    customer: str
    name: str
    key: str
    anchor: str
    armed: int
    due: int
    gone: int
    changed: int
    about: str | None = None


def table(events: list[Event]) -> duckdb.DuckDBPyConnection:
    """The events as the table `events`, one row for each product an event names."""
    rows = [
        {
            "customer": event["user_id"],
            "ms": event["timestamp_ms"],
            "id": event["message_id"],
            "event": event["event"],
            "cart": event.get("cart_id"),
            "checkout": event.get("checkout_id"),
            "order_id": event.get("order_id"),
            "product": product,
            "visit": "anonymous_id" in event,
            "amount": event.get("amount_minor"),
            "consent": next((one["state"] for one in event.get("consent", ())), None),
        }
        for event in events
        for product in [one["product_id"] for one in event.get("products", ())] or [_product_of(event)]
    ]
    frame = pd.DataFrame(rows)
    connection = duckdb.connect()
    connection.register("frame", frame)
    connection.execute("CREATE TABLE events AS SELECT * FROM frame")
    return connection


def _product_of(event: Event) -> str | None:
    product = event.get("product")
    return product["product_id"] if product else event.get("product_id")


def carts(connection: duckdb.DuckDBPyConnection) -> list[Candidate]:
    """An hour after each change or view of a cart, unless something happens to it before; only where it holds something."""
    rows = connection.execute(
        """
        WITH moves AS (
          SELECT customer, cart, ms, event,
                 sum(CASE event WHEN 'Product Added' THEN 1 WHEN 'Product Removed' THEN -1 ELSE 0 END)
                   OVER (PARTITION BY cart ORDER BY ms) AS held,
                 max(CASE WHEN event <> 'Cart Viewed' THEN ms END) OVER (PARTITION BY cart ORDER BY ms) AS changed,
                 lead(ms) OVER (PARTITION BY cart ORDER BY ms) AS next
          FROM events WHERE event IN ('Product Added', 'Product Removed', 'Cart Viewed')
        )
        SELECT customer, cart, ms, changed, next,
               (SELECT min(o.ms) FROM events o WHERE o.cart = moves.cart AND o.ms > moves.ms
                  AND o.event IN ('Order Completed', 'Checkout Started')) AS ended,
               (SELECT count(*) FROM events o WHERE o.cart = moves.cart AND o.ms < moves.ms
                  AND o.event = 'Order Completed') AS bought
        FROM moves WHERE held > 0
        """
    ).fetchall()
    return [
        Candidate(customer, "cart.abandoned", cart, "", at, at + HOUR_MS, min(next_ or NEVER, ended or NEVER), at, cart)
        for customer, cart, at, _, next_, ended, bought in rows
        if not bought
    ]


def checkouts(connection: duckdb.DuckDBPyConnection) -> list[Candidate]:
    """An hour after each step of a checkout, or change of its cart, until any order or a newer checkout of the customer."""
    rows = connection.execute(
        """
        WITH begun AS (
          SELECT customer, checkout, cart, ms AS started, id FROM events WHERE event = 'Checkout Started'
          QUALIFY row_number() OVER (PARTITION BY checkout ORDER BY product) = 1
        ), moves AS (
          SELECT DISTINCT b.customer, b.checkout, b.cart, b.started, b.id, e.ms
          FROM begun b JOIN events e ON e.customer = b.customer AND e.ms >= b.started AND (
            e.checkout = b.checkout AND e.event LIKE 'Checkout %'
            OR e.cart = b.cart AND e.event IN ('Product Added', 'Product Removed', 'Cart Viewed'))
        )
        SELECT customer, checkout, cart, id, started, ms,
               lead(ms) OVER (PARTITION BY checkout ORDER BY ms) AS next,
               (SELECT min(o.ms) FROM events o WHERE o.customer = moves.customer AND o.ms > moves.started
                  AND (o.event = 'Order Completed' OR o.event = 'Checkout Started')) AS ended
        FROM moves
        """
    ).fetchall()
    return [
        Candidate(
            customer,
            "checkout.abandoned",
            checkout,
            anchor,
            at,
            at + HOUR_MS,
            min(next_ or NEVER, ended or NEVER),
            started,
            cart,
        )
        for customer, checkout, cart, anchor, started, at, next_, ended in rows
        if ended is None or at < ended
    ]


def ended_at(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """When each checkout came to its end by an order or a newer checkout; those that never did are left out."""
    rows = connection.execute(
        """
        SELECT b.checkout, min(o.ms) FROM events b JOIN events o ON o.customer = b.customer AND o.ms > b.ms
          AND o.event IN ('Order Completed', 'Checkout Started')
        WHERE b.event = 'Checkout Started' GROUP BY b.checkout
        """
    ).fetchall()
    return dict(rows)


def welcomes(connection: duckdb.DuckDBPyConnection) -> list[Candidate]:
    """Five minutes after the first sign-up and after each consent, of customers who had not bought a day before that."""
    rows = connection.execute(
        """
        WITH openings AS (
          SELECT customer, min(ms) AS ms, min_by(id, ms) AS id, 'sign-up' AS what
          FROM events WHERE event = 'Signed Up' GROUP BY customer
          UNION ALL
          SELECT customer, ms, id, CASE WHEN ms = min(ms) OVER (PARTITION BY customer) THEN 'first' ELSE 'again' END
          FROM events WHERE consent = 'GRANT'
        )
        SELECT customer, ms, id, what,
          (SELECT min(o.ms) FROM events o WHERE o.customer = openings.customer AND o.event = 'Order Completed'
             AND o.ms <= openings.ms + 300000 AND NOT EXISTS (
               SELECT 1 FROM events c WHERE c.order_id = o.order_id AND c.event = 'Order Cancelled'
                 AND c.ms <= openings.ms + 300000)) AS bought
        FROM openings
        """
    ).fetchall()
    due = 5 * MINUTE_MS
    return [
        Candidate(customer, "welcome", f"user_id:{customer}", anchor, at, at + due, NEVER, at, what)
        for customer, at, anchor, what, bought in rows
        if bought is None or bought >= at + due - DAY_MS
    ]


def supplies(
    connection: duckdb.DuckDBPyConnection, zones: dict[str, ZoneInfo]
) -> tuple[list[Candidate], dict[tuple[str, str], int]]:
    """When each supply runs low, and by (customer, episode key) when the late reminder is due.

    A purchase counts unless it was cancelled or sent back by then. Due again whenever one of them changes.
    """
    happened = connection.execute(
        """
        SELECT customer, product, order_id, ms, event FROM (
          SELECT p.customer, p.product, p.order_id, e.ms, e.event
          FROM events p JOIN events e ON e.order_id = p.order_id
          WHERE p.event = 'Order Completed' AND p.product IN ('coffee', 'shampoo', 'dogfood')
            AND e.event IN ('Order Completed', 'Order Cancelled', 'Order Refunded')
            AND (e.product IS NULL OR e.product = p.product) AND e.amount IS NULL)
        ORDER BY customer, product, ms
        """
    ).fetchall()
    orders: dict[str, list[tuple[int, str]]] = defaultdict(list)
    cancelled: dict[str, int] = {}
    every = "SELECT DISTINCT customer, ms, order_id, event FROM events WHERE event IN ('Order Completed', 'Order Cancelled')"
    for customer, at, order, event in connection.execute(f"{every} ORDER BY ms").fetchall():
        if event == "Order Completed":
            orders[customer].append((at, order))
        else:
            cancelled[order] = at
    by_supply: dict[tuple[str, str], list[tuple[int, str, str]]] = defaultdict(list)
    for customer, product, order, at, event in happened:
        by_supply[customer, product].append((at, order, event))
    found: list[Candidate] = []
    late: dict[tuple[str, str], int] = {}
    for (customer, product), story in by_supply.items():
        standing: dict[str, int] = {}
        for place, (at, order, event) in enumerate(story):
            if event == "Order Completed":
                standing[order] = at
            else:
                standing.pop(order, None)
            until = story[place + 1][0] if place + 1 < len(story) else NEVER
            if not standing:
                continue
            kept = sorted((when, which) for which, when in standing.items())
            known = [(when, one) for when, one in orders[customer] if when <= at and cancelled.get(one, NEVER) > at]
            last_at, last = kept[-1]
            due, late_at = _runs_low(kept, float(SUPPLIES[product]), known or [(last_at, last)], zones[customer])
            key = f"user_id:{customer}|{product}|{last}"
            found.append(Candidate(customer, "replenishment.due", key, last, at, due, until, last_at))
            late[customer, key] = late_at
    return found, late


def _runs_low(
    bought: list[tuple[int, str]], unit_days: float, orders: list[tuple[int, str]], zone: ZoneInfo
) -> tuple[int, int]:
    joined: list[list[int]] = []
    for at, _ in bought:
        if joined and at - joined[-1][0] <= 2 * DAY_MS:
            joined[-1][1] += 1
        else:
            joined.append([at, 1])
    own = [(b[0] - a[0]) / DAY_MS / a[1] for a, b in itertools.pairwise(joined)]
    own = [interval for interval in own if interval <= 3 * unit_days]
    pace = math.exp((SHRINKAGE * math.log(unit_days) + sum(map(math.log, own))) / (SHRINKAGE + len(own)))
    if not own:
        pace = unit_days
    on_hand = 0.0
    since = joined[0][0]
    for at, units in joined:
        on_hand = max(0.0, on_hand - (at - since) / DAY_MS / pace) + units
        since = at
    run_out = joined[-1][0] + round(on_hand * pace * DAY_MS)
    due = run_out - max(3 * DAY_MS, round(0.1 * on_hand * pace * DAY_MS))
    last = bought[-1][0]
    if due <= last:
        due = last + max(0, run_out - last) // 2
    hours = sorted(datetime.fromtimestamp(at / 1000, zone).hour for at, _ in orders[-ORDERS_OF_THE_HOUR:])
    local = datetime.fromtimestamp(due / 1000, zone).replace(
        hour=hours[(len(hours) - 1) // 2], minute=0, second=0, microsecond=0, fold=0
    )
    moved = int(local.astimezone(UTC).timestamp() * 1000)
    return int(moved if moved > last else due), int(run_out + max(7 * DAY_MS, round(0.5 * pace * DAY_MS)))


def birthdays(events: list[Event], zones: dict[str, ZoneInfo], end: int) -> list[Candidate]:
    """Nine in the morning of each birthday after the customer told it, where she lives."""
    found = []
    for event in events:
        told = event.get("traits", {}).get("birthday")
        if told is None:
            continue
        customer, since = event["user_id"], event["timestamp_ms"]
        _, month, day = map(int, told.split("-"))
        for year in {datetime.fromtimestamp(at / 1000, zones[customer]).year for at in (since, end)}:
            at = int(datetime(year, month, day, 9, tzinfo=zones[customer]).timestamp() * 1000)
            if since <= at:
                date = f"{year}-{month:02d}-{day:02d}"
                found.append(Candidate(customer, "birthday", f"user_id:{customer}|{year}", date, at, at, NEVER, since))
    return found


def zones_of(events: list[Event]) -> dict[str, ZoneInfo]:
    """The zone of each customer."""
    told: dict[str, Any] = {event["user_id"]: event["traits"] for event in events if event["event"] == "Identified"}
    return {customer: ZoneInfo(traits.get("timezone", SHOP_ZONE)) for customer, traits in told.items()}
