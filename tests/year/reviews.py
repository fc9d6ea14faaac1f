"""When a customer is asked what she thinks of what she bought: by going through what became of each order, event by event."""

from collections import defaultdict
from typing import Final

from tests.year.candidates import NEVER, Candidate
from tests.year.shop import DAY_MS, HOME, SUPPLIES, Event

MOVED: Final = "moved"
"""What `about` says where a review was written: it moves a request that waits, and begins none."""
TOLD: Final = (
    "Order Fulfilled",
    "Order Delivered",
    "Order Refunded",
    "Order Returned",
    "Order Cancelled",
    "Product Reviewed",
)


class Parcel:
    """One order: what she still has of it, and when it reached her."""

    def __init__(self, order: Event, country: str | None) -> None:
        self.order: str = order["order_id"]
        self.travels = 7 * DAY_MS if country in (None, HOME) else 14 * DAY_MS
        self.paid = sum(one["price_minor"] for one in order["products"])
        self.left: list[str] = [one["product_id"] for one in order["products"]]
        self.sent: int | None = None
        self.arrived: int | None = None

    def hear(self, event: Event) -> bool:
        """Something happened to the order, or a product was reviewed. Whether that changed anything."""
        before = (self.sent, self.arrived, self.left)
        self._take(event)
        return before != (self.sent, self.arrived, self.left)

    def _take(self, event: Event) -> None:
        at = event["timestamp_ms"]
        named = [one["product_id"] for one in event.get("products", ())]
        match event["event"]:
            case "Order Fulfilled":
                self.sent = at
            case "Order Delivered":
                self.arrived = at
            case "Order Refunded" if "amount_minor" in event:
                self.paid -= event["amount_minor"]
                self.left = self.left if self.paid > 0 else []
            case "Order Refunded" | "Order Returned":
                self.left = [one for one in self.left if named and one not in named]
            case "Order Cancelled":
                self.left = []
            case "Product Reviewed":
                self.left = [one for one in self.left if one != event["product_id"]]

    def due(self) -> int | None:
        """A week after it arrived, for what is used up once six tenths of a unit are gone; by the line that comes first."""
        if self.arrived is not None:
            here = self.arrived
        elif self.sent is not None:
            here = self.sent + self.travels
        else:
            return None
        waits = [round(SUPPLIES[one] * 0.6 * DAY_MS) if one in SUPPLIES else 7 * DAY_MS for one in self.left]
        return here + min(waits) if waits else None


def parcels(events: list[Event]) -> list[Candidate]:
    """For each order, whenever something happened to it, when it is to be asked about then; gone once that is another time.

    What is sent or comes back is news also where nothing changes by it: what came back had been reviewed already.
    """
    orders: dict[str, list[Event]] = defaultdict(list)
    reviewed: dict[str, list[Event]] = defaultdict(list)
    country = {event["user_id"]: event.get("country") for event in events if event["event"] == "Identified"}
    for event in events:
        if event["event"] == "Product Reviewed":
            reviewed[event["user_id"]].append(event)
        elif "order_id" in event:
            orders[event["order_id"]].append(event)
    found = []
    for story in orders.values():
        placed = story[0]
        assert placed["event"] == "Order Completed"
        customer = placed["user_id"]
        parcel = Parcel(placed, country[customer])
        changes: list[tuple[int, int | None, str | None]] = []
        for event in sorted([*story[1:], *reviewed[customer]], key=lambda event: event["timestamp_ms"]):
            moves = MOVED if event["event"] == "Product Reviewed" else None
            if parcel.hear(event) or (moves is None and "amount_minor" not in event):
                changes.append((event["timestamp_ms"], parcel.due(), moves))
        key = parcel.order
        for place, (at, due, moves) in enumerate(changes):
            if due is not None:
                gone = next((when for when, new, _ in changes[place:] if new != due), NEVER)
                found.append(Candidate(customer, "review.request", key, key, at, due, gone, at, moves))
    return found


def nothing_left(events: list[Event], order: str, now: int) -> int:
    """When nothing of an order is left to review any more, if that comes after `now`."""
    placed = next(event for event in events if event.get("order_id") == order)
    parcel = Parcel(placed, None)
    for event in events:
        if event["event"] in TOLD and event.get("order_id", order) == order:
            parcel.hear(event)
            at: int = event["timestamp_ms"]
            if not parcel.left and at > now:
                return at
    return NEVER
