"""What was looked at and left: when a visit's reminder is due, and whether she has moved on by then.

A visit is a run of events of a browser without a pause of half an hour. It is worth a reminder if two products were viewed
in it, or one for half a minute (until the next event of the visit), or one that was viewed in the seven days before too.
The reminder is due an hour after the visit; if she comes back before, an hour after that visit, and it is one reminder. But
one that she ended by unsubscribing has no part in what she looks at when she comes back.
"""

from typing import Final

import duckdb

from tests.year.candidates import NEVER, Candidate
from tests.year.shop import DAY_MS, Event


def visits(connection: duckdb.DuckDBPyConnection) -> list[Candidate]:
    """Visits that were worth it, each with the time at which that showed as `armed`, and with its first view as `changed`.

    Views of a product that was bought in the 30 days before it is due, and kept, do not count.
    """
    rows = connection.execute(
        """
        WITH moves AS (
          SELECT DISTINCT customer, ms, id, event, CASE WHEN event = 'Product Viewed' THEN product END AS product
          FROM events WHERE visit
        ), begun AS (
          SELECT *, coalesce(ms - lag(ms) OVER c >= 1800000, true) AS opens,
                    coalesce(ms - lag(ms) OVER c > 3600000, true) AS apart
          FROM moves WINDOW c AS (PARTITION BY customer ORDER BY ms)
        ), numbered AS (
          SELECT *, sum(opens::INT) OVER (PARTITION BY customer ORDER BY ms) AS visit FROM begun
        ), openings AS (
          SELECT customer, visit, ms, apart OR EXISTS (
            SELECT 1 FROM events u WHERE u.customer = n.customer AND u.event = 'Unsubscribed' AND u.ms < n.ms
              AND u.ms > (SELECT min(b.ms) FROM numbered b WHERE b.customer = n.customer AND b.visit = n.visit - 1)
          ) AS opens_chain
          FROM numbered n WHERE opens
        ), chains AS (
          SELECT customer, visit, sum(opens_chain::INT) OVER (PARTITION BY customer ORDER BY ms) AS chain FROM openings
        ), placed AS (
          SELECT *, first_value(id) OVER v AS named, lead(ms) OVER v AS left_ms,
                    max(ms) OVER (PARTITION BY customer, chain) + 3600000 AS due
          FROM numbered JOIN chains USING (customer, visit) WINDOW v AS (PARTITION BY customer, visit ORDER BY ms)
        ), views AS (
          SELECT * FROM placed p WHERE product IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM events o WHERE o.customer = p.customer AND o.event = 'Order Completed' AND o.product = p.product
              AND o.ms <= p.due AND o.ms >= p.due - 30 * 86400000::BIGINT
              AND NOT EXISTS (SELECT 1 FROM events u WHERE u.order_id = o.order_id AND u.ms <= p.due AND (
                u.event = 'Order Cancelled' OR u.event = 'Order Refunded' AND u.amount IS NULL AND u.product IS NULL))
              AND (SELECT count(*) FROM events u WHERE u.order_id = o.order_id AND u.ms <= p.due
                AND u.event = 'Order Refunded' AND u.product = o.product)
                < (SELECT count(*) FROM events b WHERE b.id = o.id AND b.product = o.product))
        ), shown AS (
          SELECT v.customer, chain, named, due, ms, id,
            CASE WHEN left_ms - ms >= 30000 THEN left_ms END AS long_ms,
            CASE WHEN EXISTS (SELECT 1 FROM placed w WHERE w.customer = v.customer AND w.product = v.product
              AND w.ms < v.ms AND w.ms >= v.ms - 7 * 86400000::BIGINT) THEN ms END AS again_ms,
            CASE WHEN row_number() OVER (PARTITION BY v.customer, visit ORDER BY ms) = 2 THEN ms END AS second_ms
          FROM views v
        )
        SELECT customer, named, due, min(ms), min_by(id, ms), min(least(long_ms, again_ms, second_ms)) AS armed
        FROM shown GROUP BY customer, chain, named, due HAVING armed IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY customer, chain ORDER BY min(ms)) = 1
        """
    ).fetchall()
    return [
        Candidate(customer, "browse.abandoned", f"user_id:{customer}|{named}", anchor, armed, due, NEVER, first)
        for customer, named, due, first, anchor, armed in rows
    ]


SHOPPING: Final = frozenset({"Product Added", "Checkout Started", "Checkout Step Completed", "Order Completed"})


def has_moved_on(events: list[Event], candidate: Candidate, now: int) -> bool:
    """She put something into a cart or bought since the first view, ordered in the last ten days, or has a full cart."""
    held: dict[str, tuple[int, int]] = {}
    for event in events:
        at, name = event["timestamp_ms"], event["event"]
        if at > now:
            break
        if name in SHOPPING and at >= candidate.changed:
            return True
        if name == "Order Completed" and now - at < 10 * DAY_MS:
            return True
        cart = event.get("cart_id")
        if cart is not None:
            count, _ = held.get(cart, (0, 0))
            if name in ("Product Added", "Product Removed"):
                held[cart] = (count + (1 if name == "Product Added" else -1), at)
            elif name == "Order Completed":
                held[cart] = (0, at)
    return any(count > 0 and now - changed <= 30 * DAY_MS for count, changed in held.values())
