"""A checked expression as a tree: the library's bytes (message cel.expr.CheckedExpr of the language's specification) read
into nodes that know their type and their place in the text.

Macros are expanded already: `exists`, `all`, `map` and `filter` are comprehensions here.
"""

from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from msgspec import Struct

DYN: Final = "dyn"
NULL: Final = "null"
PLAIN: Final = frozenset({"bool", "int", "uint", "double", "string", "bytes"})
"""Types of values that are never null."""


class Node(Struct, frozen=True, kw_only=True):
    """A part of an expression. `type` is a name such as "int", "int?" (or null), "string", "list", "map", "dyn".

    A struct goes by its own name. `at` is where the library sees it in the text, in characters: for an operator the operator,
    for a field its dot, for a call its bracket.
    """

    type: str
    at: int


class Constant(Node, frozen=True, kw_only=True):
    """A number, a text, true, false or null as it is written."""

    value: Any


class Ident(Node, frozen=True, kw_only=True):
    """A variable: one of the vocabulary, one of a macro, or the name of a type."""

    name: str


class Select(Node, frozen=True, kw_only=True):
    """`operand.name`; with `test` it is `has(operand.name)`."""

    operand: Node
    name: str
    test: bool


class Call(Node, frozen=True, kw_only=True):
    """An operator or function. A method's operand is the first argument. `overloads` says which versions of it can be meant."""

    name: str
    args: tuple[Node, ...]
    overloads: tuple[str, ...]


class Items(Node, frozen=True, kw_only=True):
    """`[a, b]`."""

    items: tuple[Node, ...]


class Entries(Node, frozen=True, kw_only=True):
    """`{a: b}`."""

    entries: tuple[tuple[Node, Node], ...]


class Comprehension(Node, frozen=True, kw_only=True):
    """A loop over `over`: `total` starts as `start`, becomes `step` for each `item` while `goes_on`, and gives `result`."""

    item: str
    over: Node
    total: str
    start: Node
    goes_on: Node
    step: Node
    result: Node


class Unsupported(Exception):
    """The language has it and conditions do not: making a message."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at


def read_checked(checked: bytes) -> Node:
    """The tree of a checked expression. Raises Unsupported."""
    wrapped = _ANY()
    wrapped.ParseFromString(checked)
    found = _CHECKED()
    found.ParseFromString(wrapped.value)
    return _Reader(found).node(found.expr)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below one."""
    match node:
        case Select(operand=operand):
            return (operand,)
        case Call(args=args):
            return args
        case Items(items=items):
            return items
        case Entries(entries=entries):
            return tuple(part for entry in entries for part in entry)
        case Comprehension(over=over, start=start, goes_on=goes_on, step=step, result=result):
            return (over, start, goes_on, step, result)
    return ()


class _Reader:
    def __init__(self, found: Any) -> None:
        # Maps travel as repeated pairs.
        self._types = {entry.key: _type_name(entry.value) for entry in found.type_map}
        self._references = {entry.key: entry.value for entry in found.reference_map}
        self._places = {entry.key: entry.value for entry in found.source_info.positions}

    def node(self, expr: Any) -> Node:
        at = self._places.get(expr.id, 0)
        kind = self._types.get(expr.id, DYN)
        reference = self._references.get(expr.id)
        match expr.WhichOneof("kind"):
            case "const":
                return self._constant(expr.const, kind, at)
            case "ident":
                return Ident(type=kind, at=at, name=expr.ident.name)
            case "select":
                select = expr.select
                return Select(
                    type=kind, at=at, operand=self.node(select.operand), name=select.field, test=select.test_only
                )
            case "call":
                call = expr.call
                operands = (call.target, *call.args) if call.HasField("target") else tuple(call.args)
                overloads = () if reference is None else tuple(reference.overload_id)
                args = tuple(self.node(operand) for operand in operands)
                return Call(type=kind, at=at, name=call.function, args=args, overloads=overloads)
            case "list":
                return Items(type=kind, at=at, items=tuple(self.node(item) for item in expr.list.elements))
            case "struct":
                if expr.struct.message_name:
                    raise Unsupported(at, f"{expr.struct.message_name.removeprefix('regulars.')}{{}}")
                entries = tuple((self.node(entry.map_key), self.node(entry.value)) for entry in expr.struct.entries)
                return Entries(type=kind, at=at, entries=entries)
            case "comprehension":
                loop = expr.comprehension
                return Comprehension(
                    type=kind,
                    at=at,
                    item=loop.iter_var,
                    over=self.node(loop.iter_range),
                    total=loop.accu_var,
                    start=self.node(loop.accu_init),
                    goes_on=self.node(loop.loop_condition),
                    step=self.node(loop.loop_step),
                    result=self.node(loop.result),
                )
        raise Unsupported(at, "this form")

    @staticmethod
    def _constant(const: Any, kind: str, at: int) -> Constant:
        which = const.WhichOneof("kind")
        return Constant(type=kind, at=at, value=None if which == "null" else getattr(const, which))


def _type_name(found: Any) -> str:
    match found.WhichOneof("kind"):
        case "primitive":
            return _PRIMITIVES.get(found.primitive, DYN)
        case "wrapper":
            return _PRIMITIVES.get(found.wrapper, DYN) + "?"
        case "well_known":
            return _WELL_KNOWN.get(found.well_known, DYN)
        case "list_type":
            return "list"
        case "map_type":
            return "map"
        case "message_type":
            return str(found.message_type).removeprefix("regulars.")
        case "null":
            return NULL
        case "type":
            return "type"
        case "abstract_type":
            return str(found.abstract_type.name)
    return DYN


_PRIMITIVES: Final = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN: Final = {1: DYN, 2: "timestamp", 3: "duration"}


# --- the message, in the words of the specification's checked.proto and syntax.proto ----------------------------------

# One line for each message: field number, name, type ("*" repeated, "@" one of the alternatives called "kind").
_MESSAGES: Final = """
Any: 1 type_url string, 2 value bytes
CheckedExpr: 2 reference_map *ReferenceEntry, 3 type_map *TypeEntry, 4 expr Expr, 5 source_info SourceInfo
ReferenceEntry: 1 key int64, 2 value Reference
TypeEntry: 1 key int64, 2 value Type
Reference: 3 overload_id *string
SourceInfo: 4 positions *PositionEntry
PositionEntry: 1 key int64, 2 value int32
Type: 1 dyn @Empty, 2 null @int32, 3 primitive @int32, 4 wrapper @int32, 5 well_known @int32, 6 list_type @Empty, \
7 map_type @Empty, 9 message_type @string, 10 type_param @string, 11 type @Empty, 14 abstract_type @Abstract
Abstract: 1 name string
Empty:
Expr: 2 id int64, 3 const @Constant, 4 ident @Ident, 5 select @Select, 6 call @Call, 7 list @CreateList, \
8 struct @CreateStruct, 9 comprehension @Comprehension
Constant: 1 null @int32, 2 bool @bool, 3 int @int64, 4 uint @uint64, 5 double @double, 6 string @string, 7 bytes @bytes
Ident: 1 name string
Select: 1 operand Expr, 2 field string, 3 test_only bool
Call: 1 target Expr, 2 function string, 3 args *Expr
CreateList: 1 elements *Expr
CreateStruct: 1 message_name string, 2 entries *Entry
Entry: 3 map_key Expr, 4 value Expr
Comprehension: 1 iter_var string, 2 iter_range Expr, 3 accu_var string, 4 accu_init Expr, 5 loop_condition Expr, \
6 loop_step Expr, 7 result Expr
"""
_SCALARS: Final = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
}


def _classes() -> tuple[Any, Any]:
    file = FileDescriptorProto(name="checked_expression.proto", package="checked", syntax="proto2")
    for line in _MESSAGES.strip().splitlines():
        name, _, listed = line.partition(":")
        message = file.message_type.add(name=name)
        if "@" in listed:
            message.oneof_decl.add(name="kind")
        for text in filter(None, listed.strip().split(", ")):
            number, field_name, kind = text.split()
            field = message.field.add(name=field_name, number=int(number), label=FieldDescriptorProto.LABEL_OPTIONAL)
            if kind.startswith("*"):
                field.label = FieldDescriptorProto.LABEL_REPEATED
            if kind.startswith("@"):
                field.oneof_index = 0
            kind = kind.lstrip("*@")
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".checked.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    checked = message_factory.GetMessageClass(pool.FindMessageTypeByName("checked.CheckedExpr"))
    wrapped = message_factory.GetMessageClass(pool.FindMessageTypeByName("checked.Any"))
    return wrapped, checked


_ANY, _CHECKED = _classes()
