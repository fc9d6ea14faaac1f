"""Methods of structs that are to be compiled: a class of their own, in a module without structs (docs/decisions/0009)."""

from typing import TypeVar

T = TypeVar("T")


def mixed_in(kind: type[T]) -> type[T]:
    """Marks a class of methods that structs are derived from. mypyc leaves a class with a decorator it does not know an ordinary
    one; its own kind of class has a layout of its own, which a struct can't take over.

    The methods take their object as anything: to compiled code a struct is no instance of their class.
    """
    return kind
