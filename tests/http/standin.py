"""A schema of the same shape as ours, small enough to compute every cost by hand."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import strawberry
from graphql import GraphQLError

from greenroom.rates import Budget

PLANTED = "Maria Petrova maria@example.com"


@dataclass
class Context:
    actor_key: str = "shop-1"
    language: str = "en"
    budget: Budget | None = None
    begun: int = 0

    async def begin(self) -> None:
        self.begun += 1


Info = strawberry.Info[Context, None]


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class Anchor(Node):
    display_name: str

    @strawberry.field
    def verification(self) -> "Anchor | None":
        return None

    @strawberry.field
    def roster(self, first: int | None = None, last: int | None = None) -> "AnchorConnection":
        found = [Anchor(id=strawberry.ID(str(i)), display_name=f"主播 {i}") for i in range(first or last or 20)]
        return AnchorConnection(edges=[AnchorEdge(node=a) for a in found], nodes=found, page_info=PageInfo())


@strawberry.type
class AnchorEdge:
    node: Anchor


@strawberry.type
class AnchorConnection:
    edges: list[AnchorEdge]
    nodes: list[Anchor]
    page_info: PageInfo


@strawberry.type
class Room(Node):
    cast: list[Anchor]


@strawberry.input
class RoomCreateInput:
    title: str
    size: int = 1


@strawberry.type
class RoomCreatePayload:
    room: Room | None


ANCHOR = Anchor(id=strawberry.ID("a"), display_name="林")
ROOM = Room(id=strawberry.ID("r"), cast=[ANCHOR, ANCHOR])
Paging = Annotated[int | None, strawberry.argument(description="At most 100.")]


@strawberry.type
class Query:
    @strawberry.field
    def node(self, id: strawberry.ID) -> Node | None:
        return ROOM if id == "r" else ANCHOR

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Node | None]:
        return [ROOM if id == "r" else ANCHOR for id in ids]

    @strawberry.field
    async def account(self) -> Anchor:
        return ANCHOR

    @strawberry.field
    def anchors(self, first: Paging = 10) -> AnchorConnection:
        return ANCHOR.roster(first=first)

    @strawberry.field
    def begun(self, info: Info) -> int:
        return info.context.begun

    @strawberry.field
    def spent(self, info: Info) -> list[int]:
        budget = info.context.budget
        return [budget.cost, budget.limit, budget.remaining] if budget else []

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError(f"the database knows {PLANTED}")

    @strawberry.field
    def wrong_type(self) -> int | None:
        return PLANTED  # type: ignore[return-value]  # a fault of ours that graphql-core words itself

    @strawberry.field
    def meant(self) -> str | None:
        raise GraphQLError("You may not.", extensions={"code": "PERMISSION_DENIED"})

    @strawberry.field
    async def slow(self) -> str:
        await asyncio.sleep(30)
        return "late"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def room_create(self, input: RoomCreateInput) -> RoomCreatePayload:
        return RoomCreatePayload(room=ROOM)

    @strawberry.mutation
    def touch(self) -> int:
        return 1


schema = strawberry.Schema(Query, mutation=Mutation, types=[Room, Anchor])
