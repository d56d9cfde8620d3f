"""Cost: the points that an operation spends, known before it runs.

    The cost of an operation is the number of objects that its answer may hold, plus 10 for each mutation.

- A field that returns an object costs 1, and so does each object of a list; a plain value costs nothing.
- `edges` and `nodes` of a connection hold as many objects as the page has: the connection's `first` or `last`, a
  literal or a variable; the schema's default or 20 where neither is given. An edge and its node are two objects.
- `nodes(ids:)` holds as many objects as ids are given. Any other list counts as what it may hold (`LISTS`): a cast 20,
  `items` 8, `lines` 4, and so on.
- A mutation's root field costs 10 instead of 1; `__schema` and `__type` cost 1,000, with all that is below them.
- Everything written counts, once for each place where it is written: a fragment at every spread, the fields for each
  type of an interface, a field asked for twice. `@skip` and `@include` take out what they take out.
- A page size that the connection will refuse counts as the nearest one allowed, and so does a number of ids.
- The first time that a process meets a document, the request costs at least the reading of it: 1 point for every two
  words or signs and for every 250 characters. Only there a cost goes beyond what its operation costs.

So `account { rememberedAnchors(first: 20) { pageInfo { hasNextPage } edges { node { id } } } }` costs
1 (account) + 1 (the connection) + 1 (pageInfo) + 20 (edges) + 20 (nodes) = 43 points.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_interface_type,
    is_list_type,
    is_object_type,
)

PAGE_DEFAULT = 20
LIST_ASSUMED = 5
LISTS = {
    "accounts": 100,
    "admissionRecords": 20,
    "blockers": 20,
    "cast": 20,
    "cells": 16,
    "documents": 20,
    "entries": 20,
    "findings": 1,
    "headers": 1,
    "items": 8,
    "knobs": 15,
    "lines": 4,
    "mrzFindings": 4,
    "notes": 2,
    "overrides": 3,
    "photos": 3,
    "samePerson": 2,
    "stagedUploads": 10,
    "userErrors": 1,
    "wouldBlock": 20,
}
SIGNS_PER_POINT, CHARACTERS_PER_POINT = 2, 250  # some 50 to 150 µs, as an object of an answer may take
MUTATION = 10
INTROSPECTION = 1_000
PREVIEW = 1_000  # asks the law about every room ahead, whatever of it is shown
COUNTS_KEPT = 16  # of one operation: clients ask for few page sizes

_SIGNS = re.compile(r"\w+|[^\w\s,]")
_PAGED_LISTS = frozenset({"edges", "nodes"})
_PAGE_ARGUMENTS = ("first", "last", "ids")
Parts = tuple[int, int]  # what a selection set costs: once, and for each item of the page that it may stand in


def reading(source: str) -> int:
    """Return the points for reading a document that was not met before, by what can be counted without reading it."""
    return len(_SIGNS.findall(source)) // SIGNS_PER_POINT + len(source) // CHARACTERS_PER_POINT


class Price:
    """The points of one operation of a validated document; counted once for each set of values that decide it."""

    def __init__(
        self, operation: OperationDefinitionNode, *, document: DocumentNode, schema: GraphQLSchema, page_max: int
    ) -> None:
        self._operation, self._schema, self._page_max = operation, schema, page_max
        self._mutation = schema.mutation_type if operation.operation.value == "mutation" else None
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._deciding = tuple(dict.fromkeys(_deciding(operation, *self._fragments.values())))
        self._counted = lru_cache(COUNTS_KEPT)(self._count)

    def under(self, variables: Mapping[str, Any]) -> int:
        """Return the cost under coerced variables; linear in the document, whatever its fragments do."""
        return self._counted(tuple(_size(variables.get(name)) for name in self._deciding))

    def _count(self, values: tuple[int | None, ...]) -> int:
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None  # validation: the operation has a type
        return _Count(self, dict(zip(self._deciding, values, strict=True))).whole(root, self._operation.selection_set)


class _Count:
    """One walk, each fragment once."""

    def __init__(self, price: Price, variables: Mapping[str, int | None]) -> None:
        self._price, self._variables = price, variables
        self._known: dict[str, Parts] = {}

    def whole(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> int:
        """The cost of what does not stand in a page."""
        once, per_item = self.parts(parent, selections)
        return once + LIST_ASSUMED * per_item

    def parts(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> Parts:
        """The cost of a selection set, apart for what `edges` and `nodes` hold."""
        found = [self._selection(parent, each) for each in selections.selections if self._is_in(each)]
        return sum(once for once, _ in found), sum(per_item for _, per_item in found)

    def _is_in(self, selection: SelectionNode) -> bool:
        return all(
            self._value(directive.arguments[0].value) is (directive.name.value == "include")
            for directive in _conditions(selection)
        )

    def _value(self, node: ValueNode) -> Any:
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        return int(node.value) if isinstance(node, IntValueNode) else getattr(node, "value", None)

    def _selection(self, parent: GraphQLCompositeType, selection: SelectionNode) -> Parts:
        match selection:
            case FieldNode():
                return self._field(parent, selection)
            case InlineFragmentNode(type_condition=condition):
                return self.parts(self._type(condition.name.value) if condition else parent, selection.selection_set)
            case FragmentSpreadNode():
                return self._fragment(selection.name.value)
        raise AssertionError(f"graphql-core has no other selection: {selection.kind}")

    def _fragment(self, name: str) -> Parts:
        if name not in self._known:
            fragment = self._price._fragments[name]
            self._known[name] = self.parts(self._type(fragment.type_condition.name.value), fragment.selection_set)
        return self._known[name]

    def _field(self, parent: GraphQLCompositeType, node: FieldNode) -> Parts:
        name = node.name.value
        if name in ("__schema", "__type"):
            return INTROSPECTION, 0
        base = MUTATION if parent is self._price._mutation else PREVIEW if name == "admissionPolicyPreview" else 0
        definition = parent.fields.get(name) if is_object_type(parent) or is_interface_type(parent) else None
        returned = get_named_type(definition.type) if definition else None
        if definition is None or node.selection_set is None or not is_composite_type(returned):
            return base, 0
        page = self._page(definition, node)
        if is_list_type(get_nullable_type(definition.type)):
            each = 1 + self.whole(returned, node.selection_set)
            if name in _PAGED_LISTS and "pageInfo" in getattr(parent, "fields", ()):
                return 0, each
            return (LISTS.get(name, LIST_ASSUMED) if page is None else page) * each, 0
        once, per_item = self.parts(returned, node.selection_set)
        return (base or 1) + once + (LIST_ASSUMED if page is None else page) * per_item, 0

    def _page(self, field: GraphQLField, node: FieldNode) -> int | None:
        """The page size of a field that has one: the larger of `first` and `last`, else the schema's default."""
        arguments = [field.args[name] for name in _PAGE_ARGUMENTS if name in field.args]
        if not arguments:
            return None
        given = [a for a in node.arguments or () if a.name.value in _PAGE_ARGUMENTS]
        sizes = [size for a in given if isinstance(size := self._asked(a), int)]
        return min(max(0, *sizes), self._price._page_max) if sizes else max(map(_default, arguments)) or PAGE_DEFAULT

    def _asked(self, argument: ArgumentNode) -> Any:
        """How much an argument asks for: a page's size, or as many as there are ids; one alone makes a list."""
        match argument.value:
            case ListValueNode(values=values):
                return len(values)
            case StringValueNode():
                return 1
            case value:
                return 1 if argument.name.value == "ids" and isinstance(value, IntValueNode) else self._value(value)

    def _type(self, name: str) -> GraphQLCompositeType:
        found = self._price._schema.get_type(name)
        assert is_composite_type(found)  # validation: fragments stand on composite types
        return found


def _conditions(node: SelectionNode) -> Iterator[Any]:
    return (d for d in node.directives or () if d.name.value in ("skip", "include"))


def _deciding(*definitions: OperationDefinitionNode | FragmentDefinitionNode) -> Iterator[str]:
    """Yield the variables that a cost can depend on: page sizes, and what `@skip` and `@include` ask."""
    waiting: list[Any] = [definition.selection_set for definition in definitions]
    while waiting:
        for node in waiting.pop().selections:
            arguments = [a for d in _conditions(node) for a in d.arguments]
            arguments += [a for a in getattr(node, "arguments", ()) or () if a.name.value in _PAGE_ARGUMENTS]
            yield from (a.value.name.value for a in arguments if isinstance(a.value, VariableNode))
            if below := getattr(node, "selection_set", None):
                waiting.append(below)


def _size(value: Any) -> int | None:
    """What of a variable decides a cost: a page size, a condition, how many ids."""
    return len(value) if isinstance(value, list) else value if isinstance(value, int) else None


def _default(argument: GraphQLArgument) -> int:
    declared = argument.default.value if argument.default else argument.default_value
    return declared if isinstance(declared, int) else 0
