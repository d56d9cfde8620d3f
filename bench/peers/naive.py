"""The peer: Q1 as a tutorial for Strawberry and SQLModel writes it, over the same rows and the same row security.

One AsyncSession a request, models as they are, a DataLoader for the verification of each anchor; Strawberry's own ASGI
view. Nothing is made slow on purpose, and nothing that a tutorial would not do is done to make it fast.
"""

import os
import sys
from datetime import datetime
from uuid import UUID

import strawberry
import uvicorn
from sqlalchemy import func
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from greenroom.accounts.tables import Account as AccountRow
from greenroom.anchors.tables import Anchor as AnchorRow
from greenroom.graph import global_id, read_id
from greenroom.law.terms import BroadcastLocation, VerificationPath, VerificationStatus
from greenroom.verifications.tables import Verification as VerificationRow

HANDED_IN = ("SUBMITTED", "APPROVED", "REJECTED", "EXPIRED", "REVOKED")
strawberry.enum(BroadcastLocation)
strawberry.enum(VerificationPath)
strawberry.enum(VerificationStatus)


@strawberry.type
class Verification:
    id: strawberry.ID
    path: VerificationPath
    status: VerificationStatus
    expires_at: datetime | None


@strawberry.type
class Anchor:
    row: strawberry.Private[AnchorRow]
    id: strawberry.ID
    display_name: str
    nationality: str

    @strawberry.field
    async def current_verification(self, info: strawberry.Info) -> Verification | None:
        row = await info.context["verifications"].load(self.row.id)
        if row is None:
            return None
        return Verification(
            id=global_id("Verification", row.account_id, row.id),
            path=row.path,
            status=row.status,
            expires_at=row.ends_at,
        )


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge:
    cursor: str
    remembered_at: datetime
    last_appeared_at: datetime | None
    last_location: BroadcastLocation | None
    node: Anchor


@strawberry.type
class Connection:
    total_count: int
    page_info: PageInfo
    edges: list[Edge]


@strawberry.type
class Account:
    account_id: strawberry.Private[UUID]

    @strawberry.field
    async def remembered_anchors(
        self, info: strawberry.Info, first: int = 20, after: str | None = None, search: str | None = None
    ) -> Connection:
        session: AsyncSession = info.context["session"]
        mine = (
            AnchorRow.account_id == self.account_id,
            col(AnchorRow.remembered_at).is_not(None),
            col(AnchorRow.forgotten_at).is_(None),
        )
        total = (await session.exec(select(func.count()).select_from(AnchorRow).where(*mine))).one()
        order = (col(AnchorRow.last_used_at).desc(), col(AnchorRow.id).desc())
        rows = (await session.exec(select(AnchorRow).where(*mine).order_by(*order).limit(first + 1))).all()
        edges = [
            Edge(
                cursor=f"{row.last_used_at.isoformat()}|{row.id}",
                remembered_at=row.remembered_at,
                last_appeared_at=row.last_appeared_at,
                last_location=row.last_location,
                node=Anchor(
                    row=row,
                    id=global_id("Anchor", row.account_id, row.id),
                    display_name=row.display_name,
                    nationality=row.nationality,
                ),
            )
            for row in rows[:first]
        ]
        page_info = PageInfo(has_next_page=len(rows) > first, end_cursor=edges[-1].cursor if edges else None)
        return Connection(total_count=total, page_info=page_info, edges=edges)


@strawberry.input
class AccountReferenceInput:
    id: strawberry.ID


@strawberry.type
class Query:
    @strawberry.field
    async def account(self, info: strawberry.Info, by: AccountReferenceInput) -> Account | None:
        session: AsyncSession = info.context["session"]
        account_id = read_id(by.id)[1].account_id
        await session.exec(select(func.greenroom_scope(account_id, [], "")))
        row = (await session.exec(select(AccountRow).where(AccountRow.account_id == account_id))).one_or_none()
        return Account(account_id=row.account_id) if row else None


engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=8)
sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


class View(GraphQL[dict[str, object], None]):
    """Strawberry's own view, with a session a request."""

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # ASGI
        async with sessions() as session, session.begin():
            scope["session"] = session
            await super().__call__(scope, receive, send)

    async def get_context(self, request, response=None):  # type: ignore[no-untyped-def]  # as the view has it
        session: AsyncSession = request.scope["session"]

        async def newest(ids: list[UUID]) -> list[VerificationRow | None]:
            found = await session.exec(
                select(VerificationRow)
                .where(col(VerificationRow.anchor_id).in_(ids), col(VerificationRow.status).in_(HANDED_IN))
                .order_by(col(VerificationRow.submitted_at))
            )
            by_anchor = {row.anchor_id: row for row in found}
            return [by_anchor.get(each) for each in ids]

        return {"session": session, "verifications": DataLoader(load_fn=newest)}


app = View(strawberry.Schema(Query))

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off", access_log=False)
