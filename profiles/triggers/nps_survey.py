"""nps.survey: would she recommend the shop? After a delivery, and from time to time while she is around.

There is one episode a customer. Whoever was asked or answered lately, in whatever way, is left in peace for `every`.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from profiles import complaints, deliveries
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.feedback_rules import NpsSurveyRule
from profiles.profile import Profile
from profiles.state import Episode
from profiles.turn import Turn
from schemas.events import Arrival, NpsSubmitted


class NpsSurvey(TriggerDefinition[NpsSurveyRule]):
    """The trigger. `data`: the order it is about (None: none), and from which moment its delay counts."""

    name = "nps.survey"
    rule_type = NpsSurveyRule
    follows_order = True
    listens = frozenset({NpsSubmitted})
    reasons: ClassVar[Mapping[str, str]] = {
        "asked_lately": "She was asked, or answered, a short time ago.",
        "inactive": "She was not seen for long.",
    }

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if told.delivery is None or self.name in told.delivery.asked:
            return
        profile, order_id, delivery = turn.profile, told.change.entry.order_id, told.delivery
        arrived_ms = deliveries.arrived_ms(delivery, profile, turn.book)
        episode = waiting(profile, self, profile.id)
        is_ours = episode is not None and episode.data["order_id"] == order_id
        if arrived_ms is None or not deliveries.kept(delivery):
            if is_ours:
                cancel(turn, self, profile.id, "refunded")
                self._ask_about_another(turn)
            return
        due_ms = self._due_ms(turn, arrived_ms, after_order=True)
        # One that had stood back until its time was over is brought up by nothing that becomes of it.
        in_time = arrived_ms + self.rule(turn.book).delay_ms >= turn.time_ms
        if is_ours or (in_time and (episode is None or _comes_first(episode, due_ms, arrived_ms, order_id))):
            self._ask_about(turn, order_id, arrived_ms, due_ms)

    def _ask_about_another(self, turn: Turn) -> None:
        """Other parcels stood back behind one that she gave back: the first of them whose time is still ahead takes its place."""
        profile, delay_ms = turn.profile, self.rule(turn.book).delay_ms
        arrived = [
            (arrived_ms, order_id)
            for order_id, delivery in profile.deliveries.items()
            if self.name not in delivery.asked
            and deliveries.kept(delivery)
            and (arrived_ms := deliveries.arrived_ms(delivery, profile, turn.book)) is not None
            and arrived_ms + delay_ms > turn.now_ms
        ]
        if arrived:
            arrived_ms, order_id = min(arrived)
            self._ask_about(turn, order_id, arrived_ms, self._due_ms(turn, arrived_ms, after_order=True))

    def on_parted(self, turn: Turn) -> None:
        """The parcel that hers stood back behind may be another customer's."""
        if waiting(turn.profile, self, turn.profile.id) is None:
            self._ask_about_another(turn)

    def _ask_about(self, turn: Turn, order_id: str, arrived_ms: int, due_ms: int) -> None:
        data = {"order_id": order_id, "since_ms": arrived_ms, "round": 0}
        plan(turn, self, turn.profile.id, order_id, arrived_ms, due_ms, data=data)

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """An answer puts the next survey off."""
        episode = waiting(turn.profile, self, turn.profile.id)
        if episode is not None:
            due_ms = self.due_again(turn, episode)
            plan(turn, self, episode.key, episode.anchor, episode.opened_ms, due_ms, data=episode.data)

    def _due_ms(self, turn: Turn, since_ms: int, *, after_order: bool) -> int:
        rule = self.rule(turn.book)
        due_ms = since_ms + (rule.delay_ms if after_order else rule.every_ms)
        asked_ms = _asked_ms(turn.profile)
        return due_ms if asked_ms is None else max(due_ms, asked_ms + rule.every_ms)

    def due_again(self, turn: Turn, episode: Episode) -> int:
        order_id = episode.data["order_id"]
        arrived_ms = None if order_id is None else deliveries.order_arrived_ms(order_id, turn.profile, turn.book)
        since_ms = episode.data["since_ms"] if arrived_ms is None else arrived_ms
        return self._due_ms(turn, since_ms, after_order=episode.data["round"] == 0)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        profile, rule = turn.profile, self.rule(turn.book)
        order_id = episode.data["order_id"]
        delivery = None if order_id is None else profile.deliveries.get(order_id)
        if delivery is not None and not deliveries.kept(delivery):
            return "refunded"
        if complaints.complains(profile, turn.book, now_ms):
            return "open_complaint"
        asked_ms = _asked_ms(profile)
        if asked_ms is not None and now_ms - asked_ms < rule.every_ms:
            return "asked_lately"
        if order_id is None and (profile.activity.last_ms or 0) < now_ms - rule.active_ms:
            return "inactive"
        return None

    def content(self, turn: Turn, episode: Episode) -> Content:
        order_id = episode.data["order_id"]
        return Content(
            details={"kind": "relational"} if order_id is None else {"kind": "transactional", "order_id": order_id},
            rule="a parcel arrived some time ago" if order_id is not None else "the last survey is some time ago",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """An order is asked about once; the next survey comes after `every`, however this one ended at its time."""
        profile = turn.profile
        if state == "emitted":
            profile.feedback.asked_ms = now_ms
        elif state == "cancelled" and now_ms < episode.due_ms:
            return  # what cancelled it may itself be taken back
        order_id, number = episode.data["order_id"], episode.data["round"] + 1
        if order_id is not None and (delivery := profile.deliveries.get(order_id)) is not None:
            delivery.asked = sorted({*delivery.asked, self.name})
        since_ms = now_ms
        if state == "cancelled":
            reason = self.check(turn, episode, now_ms)
            if reason == "asked_lately":
                # Under another name, as is known since two profiles became one: from then on the time counts.
                since_ms = _asked_ms(profile) or now_ms
            elif reason in ("refunded", "inactive") or turn.cause != "timer" or not self.rule(turn.book).enabled:
                return  # until her next parcel
        first = episode.data.get("first", episode.anchor)
        data = {"order_id": None, "since_ms": since_ms, "round": number, "first": first}
        due_ms = self._due_ms(turn, since_ms, after_order=False)
        plan(turn, self, episode.key, f"{first}#{number}", now_ms, due_ms, data=data)


def _comes_first(episode: Episode, due_ms: int, arrived_ms: int, order_id: str) -> bool:
    """Whether a parcel takes the place of what is waited for: of two parcels the one that arrived first; the survey that comes
    from time to time stands back for one that arrived since the last was decided. Neither does for a parcel that has to wait for
    the same day: it would be lost with one that is given back.
    """
    if episode.data["round"] > 0:
        return arrived_ms > episode.opened_ms and due_ms < episode.due_ms
    first: tuple[int, str] = (episode.data["since_ms"], episode.data["order_id"])
    return (arrived_ms, order_id) < first


def _asked_ms(profile: Profile) -> int | None:
    """When she was last asked by us, or answered anybody."""
    if not profile.has_feedback:
        return None
    said = profile.feedback
    answered = [answer.answered_ms for answer in said.surveys.values()]
    return max((ms for ms in (said.asked_ms, *answered) if ms is not None), default=None)


NPS_SURVEY: Final = NpsSurvey()
