"""Executor: graphql-core's own, with a short way for what is already there.

Most of an answer is columns and the objects that carry them: fields without a resolver, whose value is an attribute.
Completing one takes graphql-core some 20 µs: field definition, resolve info, resolver, type by type. Here a selection
is sorted once into columns and parts, and each of them is read straight from its object. All else (a resolver, a
nullable or abstract part, a value that the type refuses) goes the long way, so that nulls, errors and their places are
graphql-core's to decide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails
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
class Part:
    """An object that is never null, or a list of such, in an attribute."""

    attribute: str
    kind: GraphQLObjectType
    origin: type
    is_list: bool


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
                result = self._part(short, source_value, details, here) if type(short) is Part else Undefined
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
            ways = [(name, short_way(parent_type, field)) for name, field in fields]
            known = self._sorted[id(selection)] = (selection, ways)
        return known[1]

    def _part(self, part: Part, source: Any, details: list[FieldDetails], path: Path) -> Any:
        """Return the answer of a part; Undefined where it is not what the type says."""
        value = getattr(source, part.attribute, None)
        if not part.is_list:
            if type(value) is not part.origin:
                return Undefined
            return self.collect_and_execute_subfields(part.kind, details, path, value, None)
        if type(value) is not list or any(type(item) is not part.origin for item in value):
            return Undefined
        results: list[Any] = []
        waiting: list[int] = []
        try:
            for index, item in enumerate(value):
                here = Path(path, index, None)
                results.append(self.collect_and_execute_subfields(part.kind, details, here, item, None))
                if self.is_awaitable(results[-1]):
                    waiting.append(index)
        except Exception:
            self.settle_in_background([results[index] for index in waiting])
            raise
        return awaited(results, waiting) if waiting else results


async def awaited(results: Any, waiting: list[Any]) -> Any:
    """Return results once those that are waited for have come, all at the same time."""
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


def short_way(parent_type: GraphQLObjectType, name: str) -> Column | Part | None:
    """Return how a field can be read from its object; None for one with a resolver, or of a type that needs care."""
    if name == "__typename":
        return Column("__class__", lambda _: parent_type.name, is_nullable=False)
    field = parent_type.fields.get(name)
    definition = field and field.extensions.get("strawberry-definition")
    if field is None or definition is None or not definition.is_basic_field:
        return None
    return column_of(field, definition.python_name) or part_of(field, definition.python_name)


def column_of(field: GraphQLField, attribute: str) -> Column | None:
    """Return the column of a field whose type is a scalar or an enum."""
    kind: Any = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    is_nullable = kind is field.type
    if not is_leaf_type(kind):
        return None
    if isinstance(kind, GraphQLEnumType):
        return Column(attribute, {v.value: name for name, v in kind.values.items()}.__getitem__, is_nullable)
    return Column(attribute, text if kind in (GraphQLString, GraphQLID) else kind.coerce_output_value, is_nullable)


def text(value: Any) -> Any:
    """Return a text; Undefined for another type, which the long way may know to coerce."""
    return value if type(value) is str else Undefined


def part_of(field: GraphQLField, attribute: str) -> Part | None:
    """Return the part of a field whose type is T! or [T!]!, T an object."""
    inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else None
    is_list = isinstance(inner, GraphQLList)
    each = inner.of_type if isinstance(inner, GraphQLList) else field.type
    if not isinstance(each, GraphQLNonNull) or not isinstance(each.of_type, GraphQLObjectType):
        return None
    return Part(attribute, each.of_type, each.of_type.extensions["strawberry-definition"].origin, is_list)
