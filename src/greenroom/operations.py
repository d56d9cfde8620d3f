"""Operations: documents parsed, validated and priced once, and kept while they are in use."""

import re
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from greenroom.cost import Price
from greenroom.limits import Exceeded, Limits, count_tokens, measure

ERRORS_MAX = 20
MESSAGE_LENGTH_MAX = 500
QUOTED_LENGTH_MAX = 1_000
DOCUMENTS_MAX = 1_000
DOCUMENTS_BYTES_MAX = 64 * 1_048_576
BYTES_PER_TOKEN = 650  # of a syntax tree with its places: 345 to 610 were measured, the most for single fields
BYTES_PER_ERROR = 2_000

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
QUOTED_VALUE = re.compile(
    r"( cannot represent [^:]*|Invalid isoformat string): .*|((?:found|Unexpected) (?:Block)?String) .*"
    r"|[,;]? [Ff]ound: .*",
    re.DOTALL,
)
QUOTED_NAME = re.compile(r"Value '.*' does not exist", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document, with the fragments that came with it."""

    name: str | None
    kind: OperationType
    document: DocumentNode
    price: Price

    def cost(self, variables: Mapping[str, Any]) -> int:
        """Return its points under coerced variables; see `cost.py`."""
        return self.price.under(variables)


@dataclass(frozen=True, slots=True)
class Document:
    """The operations of a valid document, by name; a lone operation also without."""

    operations: Mapping[str | None, Operation]
    tokens: int

    def operation(self, name: str | None) -> Operation | None:
        """Return the operation that a request names, if there is exactly one such."""
        return self.operations.get(name)


@dataclass(frozen=True, slots=True)
class Invalid:
    """A document that cannot run: what graphql-core says about it, ready to send."""

    errors: tuple[dict[str, Any], ...]


class Operations:
    """The documents of one schema seen lately, keyed by their exact source; what is refused is remembered as such."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        limits: Limits,
        introspection: bool,
        documents_max: int = DOCUMENTS_MAX,
        bytes_max: int = DOCUMENTS_BYTES_MAX,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._hides_schema = not introspection
        self._rules = specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        self._documents_max = documents_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._known: OrderedDict[str, Document | Invalid | Exceeded] = OrderedDict()

    def known(self, source: str) -> Document | Invalid | Exceeded | None:
        """Return what a source means that was read before; None for one that is still to `read`."""
        if len(source) > self._limits.characters:
            return Exceeded("characters", len(source), self._limits.characters)
        if (known := self._known.get(source)) is not None:
            self._known.move_to_end(source)
        return known

    def read(self, source: str) -> Document | Invalid | Exceeded:
        """Return what a source means, and keep it: work that the limits bound. `cost.reading` prices it."""
        prepared = self._prepare(source)
        self._keep(source, prepared)
        return prepared

    def _keep(self, source: str, prepared: Document | Invalid | Exceeded) -> None:
        self._known[source] = prepared
        self._bytes += _bytes_of(source, prepared)
        while self._bytes > self._bytes_max or len(self._known) > self._documents_max:
            self._bytes -= _bytes_of(*self._known.popitem(last=False))

    def _prepare(self, source: str) -> Document | Invalid | Exceeded:
        try:
            if exceeded := count_tokens(source, self._limits):
                return exceeded
            document = parse(source)
        except GraphQLSyntaxError as error:
            return Invalid((formatted(error, PARSE_FAILED),))
        if exceeded := measure(document, self._limits):
            return exceeded
        errors = validate(
            self._schema, document, self._rules, max_errors=ERRORS_MAX, hide_suggestions=self._hides_schema
        )
        if errors:
            return Invalid(tuple(formatted(error, VALIDATION_FAILED) for error in errors))
        return self._priced(document)

    def _priced(self, document: DocumentNode) -> Document:
        fragments = tuple(d for d in document.definitions if isinstance(d, FragmentDefinitionNode))
        found = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        operations: dict[str | None, Operation] = {}
        for node in found:
            name = node.name.value if node.name else None
            points = Price(node, document=document, schema=self._schema, page_max=self._limits.page_size)
            operations[name] = Operation(name, node.operation, DocumentNode(definitions=(node, *fragments)), points)
        if len(found) == 1:
            operations[None] = next(iter(operations.values()))
        return Document(operations, document.token_count)


def formatted(error: GraphQLError, code: str) -> dict[str, Any]:
    """Return an error as it is sent: its own code wins, and its message quotes no value of the caller's.

    graphql-core quotes whole inputs: a form that lacks a field would spill a name into whatever logs its errors.
    """
    sent: dict[str, Any] = dict(error.formatted)
    message = sent["message"][:QUOTED_LENGTH_MAX]  # what callers wrote may be in it, and patterns take their time
    said = QUOTED_NAME.sub("This value does not exist", QUOTED_VALUE.sub(r"\1\2", message))
    sent["message"] = said[:MESSAGE_LENGTH_MAX]
    sent["extensions"] = {"code": code} | (error.extensions or {})
    return sent


def _bytes_of(source: str, prepared: Document | Invalid | Exceeded) -> int:
    """About what an entry holds in memory."""
    match prepared:
        case Document():
            held = BYTES_PER_TOKEN * prepared.tokens
        case Invalid():
            held = BYTES_PER_ERROR * len(prepared.errors)
        case Exceeded():
            held = 0
        case _:
            assert_never(prepared)
    return sys.getsizeof(source) + held
