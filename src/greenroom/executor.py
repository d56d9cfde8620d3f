"""Executor: graphql-core's own, with a short way for what is already there.

Most of an answer is columns and the objects that carry them: fields without a resolver, whose value is an attribute.
Completing one takes graphql-core some 20 µs: field definition, resolve info, resolver, type by type. Here a selection
is sorted once into columns and parts, and each of them is read straight from its object; what a resolver returns is
completed by its class where that says which type it is. All else (nulls, abstract values of another class, a value
that the type refuses) goes the long way, so that errors and their places are graphql-core's to decide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    is_abstract_type,
    is_leaf_type,
)
from graphql.error import located_error
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.executor import to_nodes
from graphql.pyutils import Path, Undefined, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

Selection = dict[str, list[FieldDetails]]  # by name in the answer


@dataclass(frozen=True, slots=True)
class Column:
    """A scalar or an enum in an attribute."""

    attribute: str
    serialize: Callable[[Any], Any]
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """An object, or a list of objects none of which is null: the GraphQL type of each class that they may have."""

    kinds: Mapping[type, GraphQLObjectType]
    is_list: bool


@dataclass(frozen=True, slots=True)
class Part:
    """An object that is never null, or a list of such, in an attribute."""

    attribute: str
    shape: Shape


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sorted: dict[int, tuple[Selection, list[tuple[str, Column | Part | None]]]] = {}

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: Any,
        position: Any,
    ) -> Any:
        """Execute a selection on one object: its answer, or an awaitable of it."""
        results: dict[str, Any] = {}
        waiting: list[str] = []
        try:
            for name, short in self._ways(parent_type, grouped_field_set):
                if type(short) is Column and (value := read(short, source_value)) is not Undefined:
                    results[name] = value
                    continue
                details, here = grouped_field_set[name], Path(path, name, parent_type.name)
                result: Any = Undefined
                if type(short) is Part:
                    result = self._part(short, source_value, details, here)
                if result is Undefined:
                    result = self.execute_field(parent_type, source_value, details, here, position)
                results[name] = result
                if self.is_awaitable(result):
                    waiting.append(name)
        except Exception:
            self.settle_in_background([results[name] for name in waiting])
            raise
        return awaited(results, waiting) if waiting else results

    def _ways(self, parent_type: GraphQLObjectType, selection: Selection) -> list[tuple[str, Column | Part | None]]:
        """Sort a selection, once for all objects of a list; keeping it keeps its id from being used again."""
        known = self._sorted.get(id(selection))
        if known is None:
            fields = [(name, details[0].node.name.value) for name, details in selection.items()]
            ways = [(name, short_way(self.schema, parent_type, field)) for name, field in fields]
            known = self._sorted[id(selection)] = (selection, ways)
        return known[1]

    def _part(self, part: Part, source: Any, details: list[FieldDetails], path: Path) -> Any:
        """Return the answer of a part; Undefined where it is not what the type says."""
        try:
            value = getattr(source, part.attribute)
        except Exception:
            return Undefined
        try:
            return self._completed(part.shape, value, details, path)
        except Exception as error:
            raise located_error(error, to_nodes(details), path.as_list()) from None  # which holds it, or is it

    def complete_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        """Complete what a resolver returned, by its class where that says enough."""
        shape = shape_of(self.schema, return_type)
        if shape is not None:
            completed = self._completed(shape, result, field_details_list, path)
            if completed is not Undefined:
                return completed
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    def _completed(self, shape: Shape, value: Any, details: list[FieldDetails], path: Path) -> Any:
        """Return the answer of an object or a list; Undefined where a class is not one of the shape's."""
        if not shape.is_list:
            kind = shape.kinds.get(type(value))
            return Undefined if kind is None else self.collect_and_execute_subfields(kind, details, path, value, None)
        if type(value) is not list or any(type(item) not in shape.kinds for item in value):
            return Undefined
        results: list[Any] = []
        waiting: list[int] = []
        try:
            for index, item in enumerate(value):
                here = Path(path, index, None)
                try:
                    results.append(
                        self.collect_and_execute_subfields(shape.kinds[type(item)], details, here, item, None)
                    )
                except Exception as error:
                    raise located_error(error, to_nodes(details), here.as_list()) from None
                if self.is_awaitable(results[-1]):
                    waiting.append(index)
        except Exception:
            self.settle_in_background([results[index] for index in waiting])
            raise
        return awaited(results, waiting) if waiting else results


async def awaited(results: Any, waiting: list[Any]) -> Any:
    """Return results once those that are waited for have come, all at the same time."""
    if len(waiting) == 1:
        results[waiting[0]] = await results[waiting[0]]
        return results
    values = await gather_with_cancel(*(results[key] for key in waiting))
    for key, value in zip(waiting, values, strict=True):
        results[key] = value
    return results


def read(column: Column, source: Any) -> Any:
    """Return a column's value as it is sent; Undefined where only the long way can say what is wrong."""
    try:
        value = getattr(source, column.attribute)
        if value is None:
            return None if column.is_nullable else Undefined
        return column.serialize(value)
    except Exception:
        return Undefined


@cache
def short_way(schema: GraphQLSchema, parent_type: GraphQLObjectType, name: str) -> Column | Part | None:
    """Return how a field can be read from its object; None for one with a resolver, or of a type that needs care."""
    if name == "__typename":
        return Column("__class__", lambda _: parent_type.name, is_nullable=False)
    field = parent_type.fields.get(name)
    definition = field and field.extensions.get("strawberry-definition")
    if field is None or definition is None or not definition.is_basic_field:
        return None
    if column := column_of(field, definition.python_name):
        return column
    shape = shape_of(schema, field.type) if isinstance(field.type, GraphQLNonNull) else None
    return Part(definition.python_name, shape) if shape else None


def column_of(field: GraphQLField, attribute: str) -> Column | None:
    """Return the column of a field whose type is a scalar or an enum."""
    kind: Any = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    is_nullable = kind is field.type
    if not is_leaf_type(kind):
        return None
    if isinstance(kind, GraphQLEnumType):
        return Column(attribute, {v.value: name for name, v in kind.values.items()}.__getitem__, is_nullable)
    return Column(attribute, text if kind in (GraphQLString, GraphQLID) else value_of(kind), is_nullable)


def text(value: Any) -> Any:
    """Return a text; Undefined for another type, which the long way may know to coerce."""
    return value if type(value) is str else Undefined


def value_of(kind: GraphQLScalarType) -> Callable[[Any], Any]:
    """Return how a scalar's values are sent; Undefined for what is no value, but an error or still to come."""

    def sent(value: Any) -> Any:
        if isinstance(value, Exception) or value is Undefined or hasattr(value, "__await__"):
            return Undefined
        found = kind.coerce_output_value(value)
        return Undefined if found is None else found

    return sent


@cache
def shape_of(schema: GraphQLSchema, return_type: Any) -> Shape | None:
    """Return the shape of a type: T, T!, [T!] or [T!]!, where T is an object, an interface or a union."""
    kind = return_type.of_type if isinstance(return_type, GraphQLNonNull) else return_type
    if is_list := isinstance(kind, GraphQLList):
        if not isinstance(kind.of_type, GraphQLNonNull):
            return None
        kind = kind.of_type.of_type
    if isinstance(kind, GraphQLObjectType):
        possible = [kind]
    elif is_abstract_type(kind):
        possible = list(schema.get_possible_types(kind))
    else:
        return None
    definitions = [each.extensions.get("strawberry-definition") for each in possible]
    kinds = {own.origin: each for own, each in zip(definitions, possible, strict=True) if own is not None}
    return Shape(kinds, is_list) if len(kinds) == len(possible) else None
