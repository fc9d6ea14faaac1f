"""A checked expression as a Python function: each node becomes a closure over those below it, once, when rules are loaded.

Types are known by then, so most operators are Python's own. Where a value may be null, a key missing, a number too large,
the closure raises Failed; `&&`, `||`, `exists` and `all` absorb a failure where the other side decides, as the language
defines. What a closure may not do is in no node: there is no I/O, no clock (`now` is the scope's) and no randomness.

In an exact expression (a segment) whatever changes by itself as time goes on may only be compared; the comparison notes
until when its answer holds. See `profiles.expressions.instants`.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from profiles.expressions import calendar, combinators, rare, values
from profiles.expressions.combinators import Run
from profiles.expressions.counting import SIGNS, Count, Spend
from profiles.expressions.errors import Failed, Problem
from profiles.expressions.instants import (
    Clock,
    Fading,
    Moment,
    Moving,
    Names,
    Pace,
    clock_comparison,
    fading_comparison,
    pace_comparison,
)
from profiles.expressions.literals import number_for, span_of, window_of, zone_of
from profiles.expressions.messages import word_at
from profiles.expressions.scope import Scope
from profiles.expressions.shapes import Field, Shape
from profiles.expressions.syntax import (
    NULL,
    PLAIN,
    Call,
    Comprehension,
    Constant,
    Entries,
    Ident,
    Items,
    Node,
    Select,
)
from profiles.expressions.values import COMPARISONS, MISSING, TypeName, Uint
from profiles.rates import DAY_MS

_NUMBER_KEYS: Final = frozenset({"bool", "int", "uint"})
_KEYS: Final = _NUMBER_KEYS | {"string", "dyn"}
TYPE_NAMES: Final = frozenset({"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"})
_NO_ENTRIES: Final[Mapping[str, Any]] = {}
_MIRRORED: Final = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_", "_==_": "_==_", "_!=_": "_!=_"}
_WINDOW_FUNCTIONS: Final = frozenset({"views", "adds", "searches", "sessions", "orders", "events", "spend_minor"})
_ARITHMETIC: Final = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_"})
LONGEST_MS: Final = 3650 * DAY_MS
"""How far back `ago` and how far ahead `ahead` may reach."""
_SCORES: Final = frozenset({"categories", "brands", "occasions"})
_TURN: Final = frozenset({"carts", "consent", "feedback", "predicted", "recommended", "replenishment"})
"""Parts of the profile that may change without an event; the view tells until when what was read of them holds."""


class Compiler:
    """Makes closures for one expression, and gathers on the way what it reads and counts."""

    def __init__(self, text: str, variables: Mapping[str, Shape | str], *, exact: bool) -> None:
        self.text = text
        self.exact = exact
        self.reads: set[str] = set()
        self.counts: list[Count | Spend] = []
        self.timed = False
        self.segments: set[str] = set()
        self._variables = variables
        self._shapes: dict[str, Shape] = {}
        for shape in variables.values():
            if isinstance(shape, Shape):
                self._gather(shape)
        self._places: dict[str, int] = {}
        self._next_place = 0

    def _gather(self, shape: Shape) -> None:
        self._shapes[shape.name] = shape
        for field in shape.fields.values():
            if field.shape is not None:
                self._gather(field.shape)

    def problem(self, node: Node, message: str) -> Problem:
        return Problem(message, word_at(self.text, node.at))

    # --- one node -----------------------------------------------------------------------------------------------------

    def run(self, node: Node) -> Run:
        """The closure of a node. Raises Problem for what a condition must not contain."""
        if self.exact and (moving := self._moves(node)) is not None:
            raise self.problem(node, self._only_compared(node, moving))
        match node:
            case Constant():
                return combinators.constant(_written(node))
            case Ident(name=name):
                return self._ident(node, name)
            case Select(test=True):
                return self._has(node)
            case Select():
                return self._select(node)
            case Items(items=items):
                return self._items(items)
            case Entries(entries=entries):
                return self._entries(entries)
            case Comprehension():
                return self._comprehension(node)
            case Call():
                return self._call(node)
        raise self.problem(node, "this can't be used in a condition")

    def _ident(self, node: Node, name: str) -> Run:
        if name in self._places:
            place = self._places[name]
            return lambda scope: scope.variables[place]
        if node.type == "type" and name in TYPE_NAMES:
            return combinators.constant(TypeName(name))
        if node.type == "type" and name.startswith("google.protobuf."):
            return combinators.constant(
                TypeName({"Timestamp": "timestamp", "Duration": "duration"}.get(name.rpartition(".")[2], name))
            )
        match name:
            case "now":
                return lambda scope: calendar.instant(scope.now_ms)
            case "now_ms":
                return lambda scope: scope.now_ms
        raise self.problem(node, f"`{name}` can't be used as a whole, only its fields")

    # --- what moves with time -------------------------------------------------------------------------------------------

    def _moves(self, node: Node) -> Moving | None:
        """Whether the value of a node changes by itself, and how."""
        match node:
            case Ident(name="now_ms") if "now_ms" not in self._places:
                return Clock(0)
            case Ident(name="now") if "now" not in self._places:
                return Moment()
            case Call(name="ago" | "ahead", args=(span,)):
                offset_ms = span_of(self.text, span, LONGEST_MS)
                return Clock(-offset_ms if node.name == "ago" else offset_ms)
            case Select(operand=Node(type="InterestsShown"), name=name, test=False) if name in _SCORES:
                return Names()
            case Select(operand=Node(type="Orders"), name="per_year", test=False):
                return Pace()
            case Select(operand=operand, name=name, test=False) if isinstance(self._moves(operand), Names):
                return Fading(operand, Constant(type="string", at=node.at, value=name))
            case Call(name="_[_]", args=(operand, key)) if isinstance(self._moves(operand), Names):
                return Fading(operand, key)
        return None

    def _only_compared(self, node: Node, moving: Moving) -> str:
        if isinstance(moving, Moment):
            return "`now` changes by itself as time goes on; a segment compares now_ms, ago(...) or ahead(...) with a field"
        what = f"{self._words(moving.scores)}[...]" if isinstance(moving, Fading) else self._words(node)
        return (
            f"`{what}` changes by itself as time goes on; a segment can only compare it, by < <= > or >=, "
            "with a number or a field that does not"
        )

    def _names(self, node: Node) -> Run:
        """The closure of a map or list of which it is only asked what is in it."""
        if isinstance(self._moves(node), Names):
            assert isinstance(node, Select)
            self.timed = True
            return self._select(node)
        return self.run(node)

    def _moving_comparison(self, node: Call) -> Run | None:
        """The closure of a comparison of something that moves, None for any other call."""
        if not self.exact or node.name not in SIGNS:
            return None
        sign, (left, right) = node.name, node.args
        moving, other = self._moves(left), right
        if moving is None:
            sign, moving, other = _MIRRORED[sign], self._moves(right), left
        if moving is None or sign not in COMPARISONS or self._moves(other) is not None:
            return None
        self.timed = True
        match moving:
            case Clock(offset_ms):
                return clock_comparison(sign, offset_ms, self._present(other))
            case Fading(scores, name):
                return fading_comparison(sign, self._names(scores), self.run(name), self._present(other))
            case Pace():
                pace = left if other is right else right
                assert isinstance(pace, Select)
                self._note_read(self.path(pace) or ("profile", "orders"))
                return pace_comparison(sign, self.run(pace.operand), self._present(other))
        return None

    # --- fields -------------------------------------------------------------------------------------------------------

    def path(self, node: Node) -> tuple[str, ...] | None:
        """The words of `profile.orders.count`, where a node is a plain chain of fields from a variable."""
        match node:
            case Ident(name=name) if name in self._variables and name not in self._places:
                return (name,)
            case Select(operand=operand, name=name, test=False) if operand.type in self._shapes:
                above = self.path(operand)
                return None if above is None else (*above, name)
        return None

    def _field(self, node: Select) -> Field | None:
        shape = self._shapes.get(node.operand.type)
        return None if shape is None else shape.fields[node.name]

    def _note_read(self, path: tuple[str, ...]) -> None:
        """Note what is read: of the profile by its first two words, since parts of it change together."""
        self.reads.add(".".join(path[1:3]) if path[0] == "profile" else path[0])
        self.timed = self.timed or (path[0] == "profile" and path[1] in _TURN)

    def _is_there(self, node: Node) -> bool:
        """Whether a plain chain of fields leads through nothing that may be null."""
        while isinstance(node, Select):
            field = self._field(node)
            if field is None or field.nullable:
                return False
            node = node.operand
        return True

    def _select(self, node: Select) -> Run:
        field = self._field(node)
        if field is None:
            return self._key(node)
        path = self.path(node)
        if path is not None:
            self._note_read(path)
        if self.exact and path == ("profile", "segments"):
            raise self.problem(node, "a segment can't ask for segments; write out what they ask for")
        of_profile = path is not None and path[0] == "profile" and self._is_there(node.operand)
        if path is not None and of_profile and field.is_map and field.nullable:
            entries = attrgetter(".".join(path))
            return lambda scope: entries(scope) or _NO_ENTRIES  # a map that is not there is an empty one
        if path is not None and of_profile:
            return attrgetter(".".join(path))
        if path is not None and path[0] == "event" and len(path) == 2:
            return _of_event(field)
        above, name, what = self._without_note(node.operand), node.name, self._words(node.operand)
        broken = field.type == "double"

        def select(scope: Scope) -> Any:
            found = above(scope)
            if found is None:
                raise Failed(f"{what} is null")
            value = getattr(found, name)
            # A quantity may be kept as a whole number.
            return float(value) if broken and type(value) is int else value

        return select

    def _without_note(self, node: Node) -> Run:
        """The closure of an operand, which alone is no read: the field below it is."""
        if isinstance(node, Ident) and node.name in self._variables and node.name not in self._places:
            return attrgetter(node.name)
        return self.run(node)

    def _key(self, node: Select) -> Run:
        """`map.key`, and `.key` of what is known to be a map only when it is read."""
        found, name = self._names(node.operand), node.name

        def key(scope: Scope) -> Any:
            entries = found(scope)
            if not isinstance(entries, Mapping):
                raise Failed(f"a field of {values.null_or_kind(entries)}")
            value = entries.get(name, MISSING)
            if value is MISSING:
                raise Failed("a key that is not there")
            return value

        return key

    def _has(self, node: Select) -> Run:
        """`has(x.y)`: whether a map has the key; whether a field has a value, and a list or map anything in it."""
        name, field = node.name, self._field(node)
        if field is None:
            entries = self._names(node.operand)

            def has_key(scope: Scope) -> bool:
                found = entries(scope)
                if not isinstance(found, Mapping):
                    raise Failed(f"a field of {values.null_or_kind(found)}")
                return name in found

            return has_key
        bare = Select(type=field.type, at=node.at, operand=node.operand, name=name, test=False)
        if self.exact and isinstance(self._moves(bare), Pace):
            raise self.problem(node, self._only_compared(bare, Pace()))
        self.timed = self.timed or isinstance(self._moves(bare), Names)
        path = self.path(bare)
        if path is not None:
            self._note_read(path)
        if path == ("event", "event"):
            return combinators.constant(True)
        above, holds_many = self._without_note(node.operand), field.is_list or field.is_map

        def has(scope: Scope) -> bool:
            try:
                found = above(scope)
            except Failed:
                if path is None:
                    raise
                return False  # a plain chain fails where a struct on its way is not there
            value = getattr(found, name, None)  # an event may be of a kind without this field
            return value is not None and (not holds_many or len(value) > 0)

        return has

    def _words(self, node: Node) -> str:
        """How a node is called in the reason of a failure."""
        path = self.path(node)
        if path is not None:
            return ".".join(path)
        if isinstance(node, Ident):
            return node.name
        if isinstance(node, Call) and node.name in ("ago", "ahead"):
            return f"{node.name}(...)"
        return f".{node.name}" if isinstance(node, Select) else "a value"

    def _present(self, node: Node) -> Run:
        """The closure of a node whose value must not be null."""
        value = self.run(node)
        if not node.type.endswith("?"):
            return value
        what = f"{self._words(node)} is null"

        def present(scope: Scope) -> Any:
            found = value(scope)
            if found is None:
                raise Failed(what)
            return found

        return present

    # --- lists and maps -------------------------------------------------------------------------------------------------

    def _items(self, items: tuple[Node, ...]) -> Run:
        runs = tuple(self.run(item) for item in items)
        if all(isinstance(item, Constant) for item in items):
            return combinators.constant(tuple(_written(item) for item in items if isinstance(item, Constant)))
        return lambda scope: tuple([run(scope) for run in runs])

    def _entries(self, entries: tuple[tuple[Node, Node], ...]) -> Run:
        numbers: set[str] = set()
        for key, _ in entries:
            kind = key.type.removesuffix("?")
            if kind not in _KEYS:
                raise self.problem(key, f"a {kind} is no key of a map; write a text or a whole number")
            if kind in _NUMBER_KEYS:
                numbers.add(kind)
            if len(numbers) > 1:  # to Python true is 1, and implementations of the language differ on 1u
                raise self.problem(key, f"keys of a map are not {' and '.join(sorted(numbers))} at once")
        runs = tuple((self.run(key), self.run(value)) for key, value in entries)

        def build(scope: Scope) -> dict[Any, Any]:
            found: dict[Any, Any] = {}
            for key, value in runs:
                name = key(scope)
                if values.look_up(found, name) is not MISSING or name in found:  # 1 beside true
                    raise Failed("a key that is there twice")
                found[name] = value(scope)
            return found

        return build

    def _comprehension(self, node: Comprehension) -> Run:
        over = self._names(node.over)
        start: Run = combinators.new_list if isinstance(node.start, Items) else self.run(node.start)
        outer = self._places
        item, total = self._next_place, self._next_place + 1  # never shared: a name may stand for two variables
        self._next_place += 2
        self._places = {**outer, node.item: item, node.total: total}
        try:
            match node.step:
                case Call(name="_||_", args=(Ident(), test)) if isinstance(node.result, Ident):
                    return combinators.search(over, self.run(test), item, found=True)
                case Call(name="_&&_", args=(Ident(), test)) if isinstance(node.result, Ident):
                    return combinators.search(over, self.run(test), item, found=False)
            step, result = self._step(node.step, node.total, total), self.run(node.result)
        finally:
            self._places = outer
        return combinators.fold(over, start, step, result, item, total)

    def _step(self, node: Node, name: str, total: int) -> Run:
        """The step of `map`, `filter` and `exists_one`; a list grows in place instead of being copied each time."""
        match node:
            case Call(name="_+_", args=(Ident(name=left), Items(items=(added,)))) if left == name:
                value = self.run(added)

                def append(scope: Scope) -> Any:
                    found = scope.variables[total]
                    found.append(value(scope))
                    return found

                return append
            case Call(name="_?_:_", args=(condition, then, otherwise)):
                return combinators.choice(
                    self.run(condition), self._step(then, name, total), self._step(otherwise, name, total)
                )
        return self.run(node)

    # --- operators and functions ------------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Run:
        name, args = node.name, node.args
        moving = self._moving_comparison(node)
        if moving is not None:
            return moving
        if name in SIGNS:
            return self._comparison(node)
        match name:
            case "_&&_":
                return combinators.both(self.run(args[0]), self.run(args[1]))
            case "_||_":
                return combinators.either(self.run(args[0]), self.run(args[1]))
            case "!_":
                return combinators.negation(self.run(args[0]))
            case "_?_:_":
                return combinators.choice(self.run(args[0]), self.run(args[1]), self.run(args[2]))
            case "@in":
                return self._contained(node)
            case "_[_]":
                found, key = self._names(args[0]), self.run(args[1])
                return lambda scope: values.index(found(scope), key(scope))
            case "-_":
                value = self.run(args[0])
                return lambda scope: values.negative(value(scope))
            case "size":
                whole = self._names(args[0])
                return lambda scope: values.size(whole(scope))
            case "contains" | "startsWith" | "endsWith":
                return self._applied(values.text_test(name), args)
            case "dyn":
                return self.run(args[0])
            case "type":
                value = self.run(args[0])
                return lambda scope: TypeName(values.kind_of(value(scope)))
            case "ago" | "ahead":
                clock = self._moves(node)
                assert isinstance(clock, Clock)
                offset_ms = clock.offset_ms
                return lambda scope: scope.now_ms + offset_ms
            case "category" | "brand" | "product":
                raise self.problem(node, f'`{name}(...)` stands only as a filter, as in `views("7d", {name}(...))`')
        if name in _WINDOW_FUNCTIONS:
            count = self._count(node)
            return lambda scope: count.read(scope.profile)
        if name in _ARITHMETIC:
            return self._arithmetic(node)
        if name in calendar.GETTERS and args[0].type == "timestamp":
            if len(args) == 2:
                zone_of(self.text, args[1])
            return self._applied(calendar.getter(name), args)
        if name == args[0].type and name in PLAIN and len(args) == 1:  # int(5), string("a")
            return self.run(args[0])
        if name == "double" and args[0].type == "int":
            value = self.run(args[0])
            return lambda scope: float(value(scope))
        return self._rare(node)

    def _count(self, node: Call) -> Count | Spend:
        count = window_of(self.text, node)
        self.counts.append(count)
        self.timed = True
        return count

    def _applied(self, function: Callable[..., Any], args: tuple[Node, ...]) -> Run:
        runs = [self.run(arg) for arg in args]
        if len(runs) == 1:
            (only,) = runs
            return lambda scope: function(only(scope))
        if len(runs) == 2:
            one, other = runs
            return lambda scope: function(one(scope), other(scope))
        return lambda scope: function(*[run(scope) for run in runs])

    def _rare(self, node: Call) -> Run:
        """A function that the library carries out; one of written-out values is carried out now."""
        function = rare.carried_out(node.name, tuple(arg.type for arg in node.args))
        written = [_written(arg) for arg in node.args if isinstance(arg, Constant)]
        try:
            if len(written) == len(node.args):
                return combinators.constant(function(*written))
            if node.name == "matches" and isinstance(node.args[1], Constant):
                function("", node.args[1].value)
        except Failed:
            wrong = next((arg for arg in reversed(node.args) if isinstance(arg, Constant)), node)
            what = rare.REFUSED.get(node.name, f"`{node.name}` can't be done with this")
            raise self.problem(wrong, what) from None
        return self._applied(function, node.args)

    def _comparison(self, node: Call) -> Run:
        sign, (left, right) = node.name, node.args
        for count_node, other, direction in ((left, right, sign), (right, left, _MIRRORED[sign])):
            if isinstance(count_node, Call) and count_node.name in _WINDOW_FUNCTIONS and other.type == "int":
                count = self._count(count_node)
                number_for(self.text, direction, other, count)
                number = self.run(other)
                return lambda scope: count.compare(scope.profile, direction, number(scope))
        if sign not in COMPARISONS:
            return self._equality(node)
        compare = COMPARISONS[sign]
        if _alike(left, right):
            one, other_one = self._present(left), self._present(right)
            if isinstance(right, Constant):
                value = _written(right)
                return lambda scope: compare(one(scope), value)
            return lambda scope: compare(one(scope), other_one(scope))
        one, other_one = self.run(left), self.run(right)
        return lambda scope: values.compare(sign, one(scope), other_one(scope))

    def _equality(self, node: Call) -> Run:
        wanted, (left, right) = node.name == "_==_", node.args
        for nothing, asked in ((right, left), (left, right)):
            if isinstance(nothing, Constant) and nothing.type == NULL:
                value = self.run(asked)
                return lambda scope: (value(scope) is None) is wanted
        if left.type in self._shapes or right.type in self._shapes:
            raise self.problem(node, "only fields can be compared, not the whole")
        one, other = self.run(left), self.run(right)
        if _alike(left, right):  # null included: null is null, and no number
            if isinstance(right, Constant):
                constant = _written(right)
                return lambda scope: (one(scope) == constant) is wanted
            return lambda scope: (one(scope) == other(scope)) is wanted
        return lambda scope: values.equal(one(scope), other(scope)) is wanted

    def _contained(self, node: Call) -> Run:
        sought, among = node.args
        value, items = self.run(sought), self._names(among)
        match among:
            case Select(operand=Ident(name="profile"), name="segments") if isinstance(sought, Constant):
                self.segments.add(str(sought.value))
        if sought.type == "string" and isinstance(among, Items) and all(item.type == "string" for item in among.items):
            return lambda scope: value(scope) in items(scope)
        if isinstance(self._moves(among), Names):

            def named(scope: Scope) -> bool:
                name, names = value(scope), items(scope)
                return name in names if isinstance(name, str) else values.contains(names, name)

            return named
        return lambda scope: values.contains(items(scope), value(scope))

    def _arithmetic(self, node: Call) -> Run:
        sign, (left, right) = node.name, node.args
        if not _alike(left, right):
            one, other = self.run(left), self.run(right)
            return lambda scope: values.calculate(sign, one(scope), other(scope))
        one, other = self._present(left), self._present(right)
        kind = left.type.removesuffix("?")
        if kind == "int":
            match sign:
                case "_+_":
                    return lambda scope: values.in_range(one(scope) + other(scope))
                case "_-_":
                    return lambda scope: values.in_range(one(scope) - other(scope))
                case "_*_":
                    return lambda scope: values.in_range(one(scope) * other(scope))
        if kind == "double":
            match sign:
                case "_+_":
                    return lambda scope: one(scope) + other(scope)
                case "_-_":
                    return lambda scope: one(scope) - other(scope)
                case "_*_":
                    return lambda scope: one(scope) * other(scope)
        return lambda scope: values.calculate(sign, one(scope), other(scope))


def _written(node: Constant) -> Any:
    return Uint(node.value) if node.type == "uint" else node.value


def _alike(left: Node, right: Node) -> bool:
    """Whether both are of one plain type, or null."""
    kind = left.type.removesuffix("?")
    return kind in PLAIN and kind == right.type.removesuffix("?")


def _of_event(field: Field) -> Run:
    name = field.name
    if name == "event":
        return lambda scope: type(scope.event).__struct_config__.tag
    default: Any = () if field.is_list else {} if field.is_map else None
    return lambda scope: getattr(scope.event, name, default)
