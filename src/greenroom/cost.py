"""Cost: the points that an operation spends, known before it runs.

    The cost of an operation is the number of objects that its answer may hold, plus 10 for each mutation.

- A field that returns an object costs 1, and so does each object of a list; a plain value costs nothing.
- `edges` and `nodes` of a connection hold as many objects as the page has: the connection's `first` or `last`, a
  literal or a variable; the schema's default or 20 where neither is given. An edge and its node are two objects.
- Any other list counts as 5 objects (a cast, blockers, items), `lines` and `overrides` as 2, `findings` and
  `userErrors` as 1: the real ones are bounded and mostly smaller.
- A mutation's root field costs 10 instead of 1; `__schema` and `__type` cost 1,000, with all that is below them.
- Everything written counts, once for each place where it is written: a fragment at every spread, the fields for each
  type of an interface, a field asked for twice. `@skip` and `@include` take out what they take out.
- A page size that the connection will refuse counts as the nearest one allowed.

So `account { rememberedAnchors(first: 20) { pageInfo { hasNextPage } edges { node { id } } } }` costs
1 (account) + 1 (the connection) + 1 (pageInfo) + 20 (edges) + 20 (nodes) = 43 points.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
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
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
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
LISTS_ASSUMED = {"findings": 1, "lines": 2, "overrides": 2, "userErrors": 1}
MUTATION = 10
INTROSPECTION = 1_000

_PAGED_LISTS = frozenset({"edges", "nodes"})
_PAGE_ARGUMENTS = ("first", "last")


@dataclass(frozen=True, slots=True)
class Page:
    """A page size that variables give: the largest that is an integer, else the default."""

    variables: tuple[str, ...]
    least: int
    default: int
    most: int


@dataclass(frozen=True, slots=True)
class Product:
    """`count` times what one of them costs."""

    count: "Points"
    each: "Points"


@dataclass(frozen=True, slots=True)
class Sum:
    """What several parts cost together."""

    constant: int
    parts: tuple["Points", ...]


@dataclass(frozen=True, slots=True)
class When:
    """Points that are only spent if a variable says so."""

    variable: str
    wanted: bool
    points: "Points"


Points = int | Page | Product | Sum | When  # an int wherever no variable decides


class _Parts(NamedTuple):
    """What a selection set costs: once, and for each item of the page it may stand in."""

    once: Points
    per_item: Points


def price(
    operation: OperationDefinitionNode, *, document: DocumentNode, schema: GraphQLSchema, page_max: int
) -> Points:
    """Return what an operation of a validated document costs, as a number or a small tree over its variables."""
    root = schema.get_root_type(operation.operation)
    assert root is not None  # validation: the operation has a type
    pricing = _Pricing(schema, document, is_mutation=operation.operation.value == "mutation", page_max=page_max)
    return pricing.whole(root, operation.selection_set)


def points_of(points: Points, variables: Mapping[str, Any]) -> int:
    """Return the cost under these variables, already coerced; linear in the document, whatever its fragments do."""
    return points if isinstance(points, int) else _count(points, variables, {})


def _count(points: Points, variables: Mapping[str, Any], known: dict[int, int]) -> int:
    if isinstance(points, int):
        return points
    if (counted := known.get(id(points))) is not None:
        return counted
    match points:
        case Page(names, least, default, most):
            given = [size for name in names if isinstance(size := variables.get(name), int)]
            total = min(max(least, *given), most) if given else least or default
        case Product(count, each):
            total = _count(count, variables, known) * _count(each, variables, known)
        case Sum(constant, parts):
            total = constant + sum(_count(part, variables, known) for part in parts)
        case When(variable, wanted, inner):
            total = _count(inner, variables, known) if variables.get(variable) is wanted else 0
    known[id(points)] = total
    return total


class _Pricing:
    """Walks each selection set and each fragment once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, *, is_mutation: bool, page_max: int) -> None:
        self.schema = schema
        self.mutation = schema.mutation_type if is_mutation else None
        self.page_max = page_max
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.known: dict[str, _Parts] = {}

    def whole(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> Points:
        """The cost of what does not stand in a page."""
        parts = self.parts(parent, selections)
        return _sum((parts.once, _product(LIST_ASSUMED, parts.per_item)))

    def parts(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> _Parts:
        """The cost of a selection set, apart for what `edges` and `nodes` hold."""
        priced = [self._conditional(parent, selection) for selection in selections.selections]
        return _Parts(_sum(p.once for p in priced), _sum(p.per_item for p in priced))

    def _conditional(self, parent: GraphQLCompositeType, selection: SelectionNode) -> _Parts:
        parts = self._selection(parent, selection)
        for directive in selection.directives or ():
            if directive.name.value in ("skip", "include"):
                parts = _Parts(*(_when(directive, points) for points in parts))
        return parts

    def _selection(self, parent: GraphQLCompositeType, selection: SelectionNode) -> _Parts:
        match selection:
            case FieldNode():
                return self._field(parent, selection)
            case InlineFragmentNode(type_condition=condition):
                return self.parts(self._type(condition.name.value) if condition else parent, selection.selection_set)
            case FragmentSpreadNode():
                return self._fragment(selection.name.value)
        raise AssertionError(f"graphql-core has no other selection: {selection.kind}")

    def _fragment(self, name: str) -> _Parts:
        if name not in self.known:
            fragment = self.fragments[name]
            self.known[name] = self.parts(self._type(fragment.type_condition.name.value), fragment.selection_set)
        return self.known[name]

    def _field(self, parent: GraphQLCompositeType, node: FieldNode) -> _Parts:
        name = node.name.value
        if name in ("__schema", "__type"):
            return _Parts(INTROSPECTION, 0)
        base = MUTATION if parent is self.mutation else 0
        definition = parent.fields.get(name) if is_object_type(parent) or is_interface_type(parent) else None
        returned = get_named_type(definition.type) if definition else None
        if definition is None or node.selection_set is None or not is_composite_type(returned):
            return _Parts(base, 0)
        if is_list_type(get_nullable_type(definition.type)):
            each = _sum((1, self.whole(returned, node.selection_set)))
            if name in _PAGED_LISTS and "pageInfo" in getattr(parent, "fields", ()):
                return _Parts(0, each)
            page = self._page(definition, node)
            return _Parts(_product(LISTS_ASSUMED.get(name, LIST_ASSUMED) if page is None else page, each), 0)
        inner = self.parts(returned, node.selection_set)
        page = self._page(definition, node)
        held = _product(LIST_ASSUMED if page is None else page, inner.per_item)
        return _Parts(_sum((base or 1, inner.once, held)), 0)

    def _page(self, field: GraphQLField, node: FieldNode) -> Points | None:
        """The page size of a field that has one: the larger of `first` and `last`, else the schema's default."""
        arguments = [field.args[name] for name in _PAGE_ARGUMENTS if name in field.args]
        if not arguments:
            return None
        default = max((_default(a) for a in arguments), default=0) or PAGE_DEFAULT
        given = [a.value for a in node.arguments or () if a.name.value in _PAGE_ARGUMENTS]
        literal = max((int(value.value) for value in given if isinstance(value, IntValueNode)), default=0)
        variables = tuple(value.name.value for value in given if isinstance(value, VariableNode))
        least = min(max(literal, 0), self.page_max)
        if variables:
            return Page(variables, least, default, self.page_max)
        return least if any(isinstance(value, IntValueNode) for value in given) else default

    def _type(self, name: str) -> GraphQLCompositeType:
        found = self.schema.get_type(name)
        assert is_composite_type(found)  # validation: fragments stand on composite types
        return found


def _default(argument: GraphQLArgument) -> int:
    declared = argument.default.value if argument.default else argument.default_value
    return declared if isinstance(declared, int) else 0


def _sum(points: Iterable[Points]) -> Points:
    """Add up. A sum of one part is taken apart, one of several is shared: unfolding those could grow without end."""
    constant = 0
    parts: list[Points] = []
    for part in points:
        match part:
            case int():
                constant += part
            case Sum(more, (only,)):
                constant += more
                parts.append(only)
            case _:
                parts.append(part)
    return Sum(constant, tuple(parts)) if parts else constant


def _product(count: Points, each: Points) -> Points:
    if each == 0 or count == 0:
        return 0
    return count * each if isinstance(count, int) and isinstance(each, int) else Product(count, each)


def _when(directive: DirectiveNode, points: Points) -> Points:
    wanted = directive.name.value == "include"
    assert directive.arguments  # validation: `if` is required
    match directive.arguments[0].value:
        case VariableNode(name=name):
            return When(name.value, wanted, points) if points != 0 else 0
        case condition:
            return points if getattr(condition, "value", None) is wanted else 0
