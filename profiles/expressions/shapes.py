"""What an expression sees: the fields of the profile document, of an event and of an episode, derived from their structs.

A shape is a struct as an expression knows it. Nothing is written twice: a new field of a struct is a new field here, in the
type check, in suggestions and in the reference page.
"""

from collections.abc import Iterable
from functools import cache
from inspect import cleandoc
from typing import Any, Final, get_args

from msgspec import Struct, inspect
from msgspec.inspect import Type
from msgspec.structs import replace

from schemas.conditions import EpisodeShown
from schemas.events import AnyEvent, Event
from schemas.profile_document import ProfileDocument

SCALARS: Final[dict[type[Type], str]] = {
    inspect.BoolType: "bool",
    inspect.IntType: "int",
    inspect.FloatType: "double",
    inspect.StrType: "string",
    inspect.LiteralType: "string",
    inspect.AnyType: "dyn",
}
"""Types of the expression language for plain values. Closed sets of words are strings."""


class Field(Struct, frozen=True, kw_only=True):
    """A field: its type in the expression language ("int", "list(CartShown)", "map(string, double)") and what it holds.

    Values of a map that may be null have a "?" behind their type. `shape` is the struct of the field, of its elements or of
    its values, where it is one. `nullable`: it may have no value.
    """

    name: str
    type: str
    shape: "Shape | None" = None
    nullable: bool = False

    @property
    def told(self) -> str:
        """Its type as people read it."""
        return self.type.replace("?", " or null")

    @property
    def is_list(self) -> bool:
        return self.type.startswith("list(")

    @property
    def is_map(self) -> bool:
        return self.type.startswith("map(")


class Shape(Struct, frozen=True, kw_only=True):
    """A struct as expressions see it. `note` is what its docstring says."""

    name: str
    fields: dict[str, Field]
    note: str = ""


@cache
def shape_of(kind: type[Struct]) -> Shape:
    """The shape of a struct. Raises TypeError for a field whose type no expression could use."""
    fields = {field.name: _field(field.name, field.type) for field in _struct(kind).fields}
    return Shape(name=kind.__name__, fields=fields, note=cleandoc(kind.__doc__ or ""))


def event_shape() -> Shape:
    """The shape of any event: the fields of all of them. What a kind of event does not have is null in it.

    Where two kinds use one name for different types, the field is `dyn`, and its type is looked at when it is read.
    """
    kinds: tuple[type[Event], ...] = get_args(AnyEvent)
    found: dict[str, Field] = {"event": Field(name="event", type="string")}
    owners: dict[str, int] = {}
    for kind in kinds:
        for name, field in shape_of(kind).fields.items():
            owners[name] = owners.get(name, 0) + 1
            found[name] = field if name not in found else _either(found[name], field)
    everywhere = {name for name, count in owners.items() if count == len(kinds)} | {"event"}
    fields = {
        name: field if name in everywhere or field.is_list or field.is_map else replace(field, nullable=True)
        for name, field in found.items()
    }
    return Shape(name="Event", fields=fields, note=cleandoc(Event.__doc__ or ""))


def every_shape(*roots: Shape) -> Iterable[Shape]:
    """The shapes and all they contain, each once, contained ones first."""
    seen: dict[str, Shape] = {}

    def visit(shape: Shape) -> None:
        if shape.name in seen:
            return
        for field in shape.fields.values():
            if field.shape is not None:
                visit(field.shape)
        seen[shape.name] = shape

    for root in roots:
        visit(root)
    return seen.values()


def _either(one: Field, other: Field) -> Field:
    nullable = one.nullable or other.nullable
    if one.type == other.type:
        return replace(one, nullable=nullable)
    return Field(name=one.name, type="dyn", nullable=nullable)


def _struct(kind: type[Struct]) -> inspect.StructType:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


def _field(name: str, given: Type) -> Field:
    found, nullable = _without_null(given)
    if isinstance(found, inspect.StructType):
        shape = shape_of(found.cls)
        return Field(name=name, type=shape.name, shape=shape, nullable=nullable)
    if isinstance(found, inspect.VarTupleType | inspect.ListType):
        item = _field(name, found.item_type)
        return Field(name=name, type=f"list({item.type})", shape=item.shape, nullable=nullable)
    if isinstance(found, inspect.DictType):
        value = _field(name, found.value_type)
        kind = f"{value.type}?" if value.nullable else value.type
        return Field(name=name, type=f"map(string, {kind})", shape=value.shape, nullable=nullable)
    if isinstance(found, inspect.UnionType):  # what is left of a union without null is "a number, whole or not"
        if {type(member) for member in found.types} != {inspect.IntType, inspect.FloatType}:
            raise TypeError(f"field {name}: {found} has no counterpart in an expression")
        return Field(name=name, type="double", nullable=nullable)
    scalar = SCALARS.get(type(found))
    if scalar is None:
        raise TypeError(f"field {name}: {found} has no counterpart in an expression")
    return Field(name=name, type=scalar, nullable=nullable)


def _without_null(found: Type) -> tuple[Type, bool]:
    while isinstance(found, inspect.Metadata):
        found = found.type
    if not isinstance(found, inspect.UnionType):
        return found, False
    members = tuple(bare for member in found.types if not isinstance(bare := _bare(member), inspect.NoneType))
    nullable = len(members) < len(found.types)
    return (members[0] if len(members) == 1 else inspect.UnionType(members)), nullable


def _bare(found: Type) -> Any:
    while isinstance(found, inspect.Metadata):
        found = found.type
    return found


PROFILE: Final = shape_of(ProfileDocument)
EPISODE: Final = shape_of(EpisodeShown)
EVENT: Final = event_shape()
