"""winback: nothing was ordered for longer than her rhythm, or that of what she bought last, explains. Three tries, then rest.

T = max(`after`, `intervals` x her own mean interval, the q95 of the time until what she bought last is bought again); the tries
are due 1, 1.5 and 2 T after her newest order. The q95 is that of the log-normal learned for a category from all customers,
exp(location + 1.645 sqrt(within + between)), of the slowest category in the order; without a fit it is left out.

Nearly every order is followed by another one in time, so until a try is due there is only a timer; the episode is armed and due
at the same moment.
"""

from collections.abc import Mapping
from math import exp, sqrt
from typing import ClassVar, Final

from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.document import days_between
from profiles.episodes import cancel, plan
from profiles.life_rules import WinbackRule
from profiles.order_state import OrderEntry
from profiles.product_facts import of_line
from profiles.profile import Profile
from profiles.rhythms import keys_of
from profiles.rules import DAY_MS
from profiles.state import Emitted, Episode, RecentOrder
from profiles.turn import Turn

Q95: Final = 1.645
"""The standard normal's 95 % point."""
Q95_DAYS_MAX: Final = 730.0
STEPS: Final = (1.0, 1.5, 2.0)
"""When tries are due, in T."""


class Winback(TriggerDefinition[WinbackRule]):
    """The trigger. Its timer is "winback|<try>|<own mean interval, ms>|<learned, ms>|<newest order>": T as it is by her orders
    now, and by what was learned when the newest one came, but for the rules. There is one episode for each newest order.
    """

    name = "winback"
    rule_type = WinbackRule
    follows_order = True
    reasons: ClassVar[Mapping[str, str]] = {"ordered": "She ordered, or the order it counted from is no more."}

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if not told.change.stands:
            self._follow(turn, told.change.entry)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """The newest order is that of one of them."""
        recent = turn.profile.orders.recent
        self._timer_of(turn, recent[-1] if recent else None)

    def on_parted(self, turn: Turn) -> None:
        self._follow(turn, None)

    def _follow(self, turn: Turn, entry: OrderEntry | None) -> None:
        """Count from what is her newest order now. `entry` is the order that was told of, None where none was."""
        profile = turn.profile
        recent = profile.orders.recent
        newest = recent[-1] if recent else None
        wake = self._timer_of(turn, newest)
        for waiting in list(profile.episodes.values()) if wake is None else ():
            if waiting.name != self.name:
                continue
            if newest is None or waiting.anchor != newest[1]:
                cancel(turn, self, waiting.key, "ordered")
            elif entry is None:
                return  # the next one is planned once this one has gone out
        if newest is None:
            return
        tries = self._tries(turn)
        if wake is None:
            # After an order that was cancelled the tries go on where they were.
            key = f"{profile.id}|{newest[1]}"
            sent = (one.occurrence for one in profile.emitted if one.name == self.name and one.key == key)
            step = max(sent, default=0) + 1
            # The goods are those of the order that was told of, which is nearly always the newest one.
            learned_ms = 0 if entry is None else round(_q95_days(turn, entry) * DAY_MS)
        else:
            step, _, learned_ms, _ = _parts(wake.partition("|")[2])
            del profile.wakes[wake]
        # An order that came, went or moved may be one of those her rhythm is known by.
        own_ms = _own_ms(profile)
        # A try whose time is over was made, and may be forgotten since, or would be too late. So was one that was due before the
        # order that is no more was placed, or a gate held it back.
        over_ms = turn.now_ms - self.rule(turn.book).max_lateness_ms
        if entry is not None and entry.placed_ms is not None:
            over_ms = max(over_ms, entry.placed_ms)
        while step <= tries and newest[0] + self._after_ms(turn, step, own_ms, learned_ms) < over_ms:
            step += 1
        if step <= tries:
            self._wait(turn, step, own_ms, learned_ms, newest)

    def _timer_of(self, turn: Turn, newest: tuple[int, str] | None) -> str | None:
        """The timer that counts from her newest order; those that count from another one are let go of."""
        wakes, found = turn.profile.wakes, None
        for wake in [wake for wake in wakes if wake.startswith(_WAKES)]:
            if newest is not None and _parts(wake.partition("|")[2])[3] == newest[1]:
                found = wake
            else:
                del wakes[wake]
        return found

    def on_wake(self, turn: Turn, what: str) -> None:
        step, own_ms, learned_ms, order_id = _parts(what)
        recent = turn.profile.orders.recent
        if recent and recent[-1][1] == order_id and step <= self._tries(turn):
            key = f"{turn.profile.id}|{order_id}"
            data = {"own_ms": own_ms, "learned_ms": learned_ms}
            plan(turn, self, key, order_id, recent[-1][0], turn.time_ms, occurrence=step, data=data)

    def order_of(self, what: str) -> str | None:
        return _parts(what)[3]

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        step, own_ms, learned_ms, order_id = _parts(what)
        recent = turn.profile.orders.recent
        if not recent or recent[-1][1] != order_id:
            return None
        return recent[-1][0] + self._after_ms(turn, step, own_ms, learned_ms)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        recent = turn.profile.orders.recent
        return None if recent and recent[-1][1] == episode.anchor else "ordered"

    def content(self, turn: Turn, episode: Episode) -> Content:
        last_ms = episode.opened_ms
        return Content(
            details={"last_order_ms": last_ms, "days_since": (episode.due_ms - last_ms) // DAY_MS},
            rule="no order for longer than her own rhythm, or that of what she bought last, explains",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Any order ends it."""
        return order.at_ms >= sent.opened_ms

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """After each try the next one waits; after the last she is left alone."""
        if state in ("emitted", "suppressed") and episode.occurrence < self._tries(turn):
            newest, data = (episode.opened_ms, episode.anchor), episode.data
            self._wait(turn, episode.occurrence + 1, data["own_ms"], data["learned_ms"], newest)

    def _tries(self, turn: Turn) -> int:
        return min(self.rule(turn.book).tries, len(STEPS))

    def _wait(self, turn: Turn, step: int, own_ms: int, learned_ms: int, newest: tuple[int, str]) -> None:
        wake = f"{self.name}|{step}|{own_ms}|{learned_ms}|{newest[1]}"
        due_ms = newest[0] + self._after_ms(turn, step, own_ms, learned_ms)
        turn.profile.wakes[wake] = max(due_ms, turn.now_ms)  # one that is due already is made as soon as that is known

    def _after_ms(self, turn: Turn, step: int, own_ms: int, learned_ms: int) -> int:
        rule = self.rule(turn.book)
        return round(STEPS[step - 1] * max(rule.after_ms, round(rule.intervals * own_ms), learned_ms))


_WAKES: Final = "winback|"


def _parts(what: str) -> tuple[int, int, int, str]:
    """Try, own mean interval and learned time (ms), and order of a timer."""
    step, own_ms, learned_ms, order_id = what.split("|", 3)
    return int(step), int(own_ms), int(learned_ms), order_id


def _own_ms(profile: Profile) -> int:
    """Her own mean interval; 0 where there is none yet."""
    return round((days_between(profile) or 0.0) * DAY_MS)


def _q95_days(turn: Turn, entry: OrderEntry) -> float:
    """The time within which 19 of 20 who buy the slowest category of an order again have done so; 0 where none is known."""
    model = turn.book.models.repurchase
    if model is None:
        return 0.0
    categories = {
        keys_of(line.product_id, line.category, of_line(turn.book.catalogue, line))[1] for line in entry.lines
    }
    learned = [key for category in categories if category is not None and (key := model.keys.get(category)) is not None]
    days = [exp(key.location + Q95 * sqrt(key.within + key.between)) for key in learned]
    return min(max(days, default=0.0), Q95_DAYS_MAX)


WINBACK: Final = Winback()
