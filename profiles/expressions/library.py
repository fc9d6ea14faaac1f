"""The door to the library that reads expressions: parser, macros and type check of the Common Expression Language.

`cel-expr-python` is the C++ implementation of the language's own project. It is told what there is (`Vocabulary`), and
gives a checked expression as bytes, which `profiles.expressions.syntax` takes apart. Our structs become Protocol Buffers
messages for it, since that is how the language knows types with fields and values that may be missing; nothing is ever
stored or sent in that form.
"""

from typing import Any, Final

from cel_expr_python import cel
from google.protobuf import descriptor_pool, struct_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from msgspec import Struct

from profiles.expressions.shapes import Field, Shape, every_shape

PACKAGE: Final = "regulars"
FILTER: Final = "filter"
"""The type of what narrows a count down; only our own functions make and take it."""

_KINDS: Final = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "string": FieldDescriptorProto.TYPE_STRING,
}
# The language knows "a number, or null" by these names.
_OR_NULL: Final = {
    "bool": ".google.protobuf.BoolValue",
    "int": ".google.protobuf.Int64Value",
    "double": ".google.protobuf.DoubleValue",
    "string": ".google.protobuf.StringValue",
}
_ANY_VALUE: Final = ".google.protobuf.Value"
_ANY_LIST: Final = ".google.protobuf.ListValue"


class Function(Struct, frozen=True, kw_only=True):
    """A function of ours: its name, the types of its arguments, what it gives, and what it means."""

    name: str
    takes: tuple[str, ...]
    gives: str
    note: str

    @property
    def overload(self) -> str:
        """The name under which a checked expression refers to exactly this one."""
        return "_".join((self.name, *self.takes))


class Vocabulary:
    """The variables and functions an expression may use. Raises nothing; `library_error` tells what the library says."""

    def __init__(self, variables: dict[str, "Shape | str"], functions: tuple[Function, ...]) -> None:
        self.variables = variables
        self.functions = functions
        self.shapes = tuple(every_shape(*(shape for shape in variables.values() if isinstance(shape, Shape))))
        by_name: dict[str, list[Any]] = {}
        for function in functions:
            overload = cel.Overload(
                function.overload,
                return_type=_type(function.gives),
                parameters=[_type(taken) for taken in function.takes],
            )
            by_name.setdefault(function.name, []).append(overload)
        self._environment = cel.NewEnv(
            message_pool(self.shapes),
            variables={
                name: cel.Type(f"{PACKAGE}.{kind.name}") if isinstance(kind, Shape) else _type(kind)
                for name, kind in variables.items()
            },
            functions=[cel.FunctionDecl(name, overloads) for name, overloads in by_name.items()],
        )

    def check(self, text: str) -> bytes:
        """The checked expression, or RuntimeError with what the library found wrong (see `profiles.expressions.messages`)."""
        checked: bytes = self._environment.compile(text).serialize()
        return checked


def _type(name: str) -> Any:
    return cel.Type.AbstractType(FILTER) if name == FILTER else getattr(cel.Type, name.upper())


def message_pool(shapes: tuple[Shape, ...]) -> descriptor_pool.DescriptorPool:
    """Messages of the shapes, each named PACKAGE.shape. Every field knows whether it has a value."""
    file = FileDescriptorProto(
        name=f"{PACKAGE}.proto",
        package=PACKAGE,
        syntax="proto2",
        dependency=["google/protobuf/wrappers.proto", "google/protobuf/struct.proto"],
    )
    for shape in shapes:
        message = file.message_type.add(name=shape.name)
        for number, field in enumerate(shape.fields.values(), 1):
            _add_field(message, field, number)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_field(message: DescriptorProto, field: Field, number: int) -> None:
    added = message.field.add(name=field.name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if field.is_list:
        added.label = FieldDescriptorProto.LABEL_REPEATED
        _say(added, field.type.removeprefix("list(").removesuffix(")"), field.shape)
    elif field.is_map:
        entry = message.nested_type.add(name=_camel(field.name) + "Entry")
        entry.options.map_entry = True
        key = entry.field.add(name="key", number=1, label=FieldDescriptorProto.LABEL_OPTIONAL)
        _say(key, "string", None)
        value = entry.field.add(name="value", number=2, label=FieldDescriptorProto.LABEL_OPTIONAL)
        _say(value, field.type.removeprefix("map(string, ").removesuffix(")"), field.shape)
        added.label = FieldDescriptorProto.LABEL_REPEATED
        added.type = FieldDescriptorProto.TYPE_MESSAGE
        added.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
    elif field.nullable and field.type in _OR_NULL:
        added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, _OR_NULL[field.type]
    else:
        _say(added, field.type, field.shape)


def _say(added: FieldDescriptorProto, kind: str, shape: Shape | None) -> None:
    plain = _KINDS.get(kind)
    if plain is not None:
        added.type = plain
        return
    added.type = FieldDescriptorProto.TYPE_MESSAGE
    if kind.removesuffix("?") in _OR_NULL:
        added.type_name = _OR_NULL[kind.removesuffix("?")]
    elif shape is not None:
        added.type_name = f".{PACKAGE}.{shape.name}"
    else:  # the values of a map can't be lists of something, only lists
        added.type_name = _ANY_LIST if kind.startswith("list(") else _ANY_VALUE


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
