"""Schema: the slices put together. A docstring is the description that clients read."""

import ast
import asyncio
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
)
from strawberry import Info as StrawberryInfo
from strawberry.schema.config import StrawberryConfig

from greenroom.accounts.api import AccountMutations, AccountQueries
from greenroom.anchors.api import AnchorMutations
from greenroom.context import Info
from greenroom.documents.api import DocumentMutations
from greenroom.events.api import EventQueries
from greenroom.executor import Executor
from greenroom.graph import Node, bad_argument, node_of, read_id
from greenroom.payloads import InputError, VersionConflict
from greenroom.policies.api import PolicyMutations, PolicyQueries
from greenroom.reviews.api import ReviewQueries
from greenroom.reviews.mutations import ReviewMutations
from greenroom.rooms.admission import AdmissionRecord, AdmissionRefused
from greenroom.rooms.mutations import RoomMutations
from greenroom.scalars import SCALARS, Instant
from greenroom.verifications.api import (
    ContactVerification,
    PassportVisaVerification,
    TaobaoVerification,
    VerificationQueries,
)
from greenroom.verifications.changes import VerificationSubscriptions
from greenroom.verifications.mutations import VerificationMutations

NODES_MAX = 100


@strawberry.type
class RateLimit:
    """Budget of the caller, in cost points."""

    cost: int
    """Cost of this request."""
    limit: int
    """Points in a full bucket."""
    remaining: int
    """Points left."""
    reset_at: Instant
    """When it is full again."""


@strawberry.type
class Query(AccountQueries, EventQueries, PolicyQueries, ReviewQueries, VerificationQueries):
    """Reads. Root fields are nullable, so one failure does not hide the others."""

    @strawberry.field
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        """Any object by global ID; null when absent or hidden."""
        return await node_of(info, *read_id(id))

    @strawberry.field
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Objects by global ID, in order."""
        if len(ids) > NODES_MAX:
            raise bad_argument("ids", TOO_MANY[info.context.language])
        return list(await asyncio.gather(*(node_of(info, *read_id(id)) for id in ids)))

    @strawberry.field
    def rate_limit(self, info: Info) -> RateLimit | None:
        """The caller's budget."""
        budget = info.context.budget
        if budget is None:
            return None
        return RateLimit(
            cost=budget.cost, limit=budget.limit, remaining=budget.remaining, reset_at=Instant(budget.reset_at)
        )


TOO_MANY = {"en": f"At most {NODES_MAX} ids.", "zh": f"最多 {NODES_MAX} 个 id。"}


@strawberry.type
class Mutation(
    AccountMutations,
    AnchorMutations,
    DocumentMutations,
    PolicyMutations,
    ReviewMutations,
    RoomMutations,
    VerificationMutations,
):
    """Writes. Every payload is nullable, carries `userErrors`, and returns what changed."""


@strawberry.type
class Subscription(VerificationSubscriptions):
    """Live changes, over graphql-transport-ws or SSE. `after` resumes without a gap."""


@cache
def build() -> strawberry.Schema:
    """Return the schema with every docstring as a description."""
    schema = strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        types=[
            AdmissionRecord,
            AdmissionRefused,
            ContactVerification,
            InputError,
            PassportVisaVerification,
            TaobaoVerification,
            VersionConflict,
        ],
        config=StrawberryConfig(auto_camel_case=True, scalar_map=SCALARS),
        execution_context_class=Executor,
    )
    for graphql_type in schema._schema.type_map.values():  # Strawberry has no public way to its graphql-core types
        describe(graphql_type)
        resolve_lightly(graphql_type)
    return schema


def resolve_lightly(graphql_type: Any) -> None:
    """Call resolvers that are asked without arguments themselves, past the wrappers that arguments need."""
    if isinstance(graphql_type, GraphQLObjectType):
        for field in graphql_type.fields.values():
            own = field.extensions.get("strawberry-definition")
            if own is not None and own.base_resolver is not None and not own.extensions and not field.subscribe:
                field.resolve = light(own, field.resolve)


def light(own: Any, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Return a resolver of a method: `self`, and `info` where it takes one."""
    method, takes_info = own.base_resolver.wrapped_func, own.base_resolver.info_parameter is not None

    def resolve(source: Any, raw: GraphQLResolveInfo[Any], **given: Any) -> Any:
        if given:
            return wrapped(source, raw, **given)
        return method(source, StrawberryInfo(_raw_info=raw, _field=own)) if takes_info else method(source)

    return resolve


def describe(graphql_type: Any) -> None:
    """Copy the docstrings of a type, its fields and its values into descriptions."""
    definition = graphql_type.extensions.get("strawberry-definition")
    origin = getattr(definition, "origin", None) or getattr(definition, "wrapped_cls", None)
    if origin is None:
        return
    graphql_type.description = graphql_type.description or one_line(inspect.getdoc(origin))
    match graphql_type:
        case GraphQLEnumType():
            for name, value in graphql_type.values.items():
                value.description = sentences(origin).get(name)
        case GraphQLObjectType() | GraphQLInterfaceType() | GraphQLInputObjectType():
            for field in graphql_type.fields.values():
                described(field, origin)


def described(field: Any, origin: type) -> None:
    """Describe one field by its resolver's docstring, or by the sentence under the attribute."""
    own = field.extensions["strawberry-definition"]
    resolver = getattr(own, "base_resolver", None)
    text = inspect.getdoc(resolver.wrapped_func) if resolver else None
    sources = (sentences(cls).get(own.python_name) for cls in origin.__mro__ if cls is not object)
    field.description = field.description or one_line(text or next(filter(None, sources), None))
    for name, argument in getattr(field, "args", {}).items():
        argument.description = argument.description or ARGUMENTS.get(name)


ARGUMENTS = {"input": "Arguments.", "id": "Global ID.", "ids": f"At most {NODES_MAX} global IDs."}


@cache
def sentences(cls: type) -> dict[str, str]:
    """Return the sentence under each attribute or member of a class: Python keeps none of them at run time."""
    return written_in(cls.__module__).get(cls.__qualname__, {})


@cache
def written_in(module: str) -> dict[str, dict[str, str]]:
    """Return the sentences of all classes of a module, parsed once."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {node.name: dict(under_attributes(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def under_attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield each attribute of a class that a sentence follows."""
    for statement, after in pairwise(node.body):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, text


def one_line(text: str | None) -> str | None:
    """Join a docstring that was wrapped in the source."""
    return " ".join(text.split()) if text else None
