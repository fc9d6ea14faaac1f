"""What a batch changes, as the commit takes it, and its outputs: put into their order, and made rows."""

from collections.abc import Mapping

from msgspec.structs import replace

from profiles.goods_state import Good
from profiles.told import Told
from profiles.turn import Anonymised, Mail, Output
from schemas.events import CommandAnswered
from schemas.moves import MOVES, Move, Statement
from schemas.outputs import Decision, Outgoing, Rejected, Trigger, TriggerOutcome
from streams.forwards import row_of_mail
from streams.home import home_partition
from streams.notes import Changed
from streams.product_names import Named
from streams.rows import MOVE_BYTES_MAX, ROW_BYTES_MAX, encode_row, reject_row, row_of, row_of_move
from streams.terms import Terms

Order = tuple[int, int, int, str]
"""Where an output belongs: place in the batch, timers (0) before the record (1), and among timers due time and profile."""


class Changes:
    """What a batch changed, in bytes; its rows for publishing, with the time of the cause for triggers.

    `created` is the number of profiles that are new; they stand first.
    """

    __slots__ = (
        "created",
        "deleted",
        "due",
        "entries",
        "facts",
        "goods",
        "names",
        "notes",
        "offsets",
        "outbox",
        "population",
        "profiles",
        "records",
        "rows",
        "triggers",
        "watchers",
    )

    def __init__(self) -> None:
        self.created = 0
        self.deleted: list[str] = []
        self.notes: Changed = {}
        self.profiles: dict[str, bytes] = {}
        self.entries: dict[tuple[str, str], bytes] = {}
        self.due: dict[str, int | None] = {}
        self.population: dict[str, int] = {}
        self.offsets: dict[str, int] = {}
        self.records: dict[str, int] = {}
        self.outbox: list[bytes] = []
        self.rows: list[tuple[Outgoing, int | None]] = []
        self.triggers: dict[str, int] = {}
        self.goods: dict[str, Good | None] = {}
        self.names: dict[str, Named | None] = {}
        self.facts: dict[str, Told | None] = {}
        self.watchers: dict[tuple[str, str], int | None] = {}

    def add(self, row: Outgoing) -> None:
        """A row that is no trigger."""
        self.rows.append((row, None))
        self.outbox.append(encode_row(row))


class Outputs:
    """What the engine gave out, appended to `out` as customer after customer was worked on, and where each belongs."""

    __slots__ = ("_caused_ms", "_order", "_terms", "forgotten", "out")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.out: list[Output] = []
        self.forgotten: dict[str, int] = {}
        """Customers who were erased, and how many outputs there were when the last of it happened."""
        self._order: list[Order] = []
        self._caused_ms: list[int] = []

    def note(self, order: Order, caused_ms: int) -> None:
        """Note where outputs that were just appended belong, and the time of their cause."""
        count = len(self.out) - len(self._order)
        self._order += [order] * count
        self._caused_ms += [caused_ms] * count

    def take_moves(self, before: int, members: set[str]) -> list[Statement]:
        """Take out the moves to these customers among the outputs since `before`: they are made at once. What is given back is
        not: a home that has yet to hear whose it is, which may be in the outbox, would send it to where it comes from.
        """
        here = [output for output in self.out[before:] if isinstance(output, Statement) and output.customer in members]
        if here:
            self.out[before:] = [output for output in self.out[before:] if output not in here]
        return here

    def add_to(self, changes: Changes, rejected: list[Rejected], withdrawn: Mapping[str, int]) -> None:
        """Add the rows in their order, and what they count; what is too large for a row is set aside instead.

        `withdrawn` says how many rows of forgotten customers were taken out of the outbox.
        """
        partition, shop_id, topics = self._terms.partition, self._terms.shop_id, self._terms.engine.topics
        for number in sorted(range(len(self.out)), key=self._order.__getitem__):
            output, caused_ms = self.out[number], self._caused_ms[number]
            if type(output) is Decision:  # by far the most
                row = row_of(output, partition, shop_id, topics)
            elif isinstance(output, Anonymised):
                continue
            elif isinstance(output, Mail):
                self._add_mail(changes, output, withdrawn)
                continue
            elif isinstance(output, Move):
                home = home_partition(output.customer.partition(":")[2], self._terms.partitions)
                row = row_of_move(output, home)
            else:
                row = row_of(output, partition, shop_id, topics)
            # A move goes out also to one who was erased since: her home answers it.
            if self.forgotten and row.topic != MOVES and number < self.forgotten.get(row.key, 0):
                continue  # decided in this very batch, before she was erased
            stored = encode_row(row)
            bytes_max = MOVE_BYTES_MAX if row.topic == MOVES else ROW_BYTES_MAX
            if len(stored) > bytes_max:
                detail = f"{len(stored)} bytes, {bytes_max} are allowed"
                rejected.append(reject_row(row, "output_too_large", detail))
                continue
            changes.rows.append((row, caused_ms if type(output) is Trigger else None))
            changes.outbox.append(stored)
            if type(output) is not Decision and isinstance(output, Trigger | TriggerOutcome):
                changes.triggers[output.name] = changes.triggers.get(output.name, 0) + 1
                for counter in self._terms.engine.counters_of(output):
                    changes.population[counter] = changes.population.get(counter, 0) + 1

    def _add_mail(self, changes: Changes, mail: Mail, withdrawn: Mapping[str, int]) -> None:
        """An event of our own goes to its home. With the answer to an erasure goes what was taken out of the outbox."""
        rows = withdrawn.get(mail.about, 0)
        if rows and isinstance(mail.event, CommandAnswered):
            mail = Mail(replace(mail.event, counts={**mail.event.counts, "outbox": rows}), mail.home, mail.about)
        changes.add(row_of_mail(mail, home_partition(mail.home, self._terms.partitions)))
