"""The GraphQL face of reviews: the queue, and what staff see of a task. Nothing here is ever shown to an account."""

from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from greenroom.access import Key, Permission, acts_for
from greenroom.connections import After, Before, CountedConnection, Edge, First, Last, asks_for, read_page
from greenroom.context import Context, Info
from greenroom.db import Read, Record
from greenroom.graph import Batch, Node, given, global_id, home, lacking
from greenroom.law.terms import ReviewDecision, ReviewTaskState, VerificationPath
from greenroom.reviews import reads
from greenroom.reviews.actions import DUE_WITHIN, REVIEWERS, is_claimed, state_of
from greenroom.scalars import Instant
from greenroom.sealing import Seal, context_of

if TYPE_CHECKING:
    from greenroom.anchors.api import Anchor
    from greenroom.verifications.api import Verification

ANCHORS = strawberry.lazy("greenroom.anchors.api")
PATHS = [path.value for path in reads.REVIEWED_PATHS]
strawberry.enum(ReviewTaskState)


def everywhere(read: Read, *, account: str, by: str, many: bool = False, **values: Any) -> Batch:
    """Return a loader's batch function that reads rows of whatever accounts in one statement: for reviewers alone."""

    async def batch(context: Context, keys: list[Key]) -> list[Any]:
        found: dict[Key, list[Any]] = {}
        asked = {"account_ids": [key.account_id for key in keys], "ids": [key.id for key in keys]}
        for row in await context.rows(read, reads.EVERYWHERE, **asked, **values):
            found.setdefault(Key(row[account], row[by]), []).append(row)
        return [found.get(key, []) if many else found.get(key, [None])[0] for key in keys]

    return batch


TASKS = everywhere(reads.BY_IDS, account="account_id", by="id", paths=PATHS)
NOTES = everywhere(reads.NOTES, account="account_id", by="task_id", many=True)
SAME_PERSON = everywhere(reads.SAME_PERSON, account="of_account_id", by="of_id", many=True)


@strawberry.type
class ReviewNote:
    """A note that staff write for themselves."""

    author: str
    """Who."""
    created_at: Instant
    """When."""
    text: str
    """Text."""


@strawberry.type
class ReviewTask(Node):
    """A submission waiting for a decision. Staff only; nothing here is ever shown to the account."""

    assignee: str | None
    """Claimed by."""
    claim_expires_at: Instant | None
    """Until when the claim holds."""
    due_at: Instant
    """When it should be decided."""
    is_escalated: bool
    """Needs a lead."""
    state: ReviewTaskState
    """State."""
    row: strawberry.Private[Record]
    first_decision: ReviewDecision | None = None
    """First decision of two, where the policy asks for four eyes."""

    @classmethod
    def of(cls, row: Record, context: Context) -> Self | None:
        """What staff see of an attempt's task; None where there is nothing to decide."""
        state = state_of(row, now=context.now)
        if state is None:
            return None
        is_held = is_claimed(row, now=context.now)
        return cls(
            id=global_id("ReviewTask", row["account_id"], row["id"]),
            assignee=row["assignee"] if is_held else None,
            claim_expires_at=row["claim_expires_at"] if is_held else None,
            due_at=row["queued_at"] + DUE_WITHIN[VerificationPath(row["path"])],
            is_escalated=bool(row["is_escalated"]),
            state=state,
            row=row,
        )

    @property
    def key(self) -> Key:
        """Where the attempt is."""
        return Key(self.row["account_id"], self.row["id"])

    @strawberry.field
    async def notes(self, info: Info) -> list[ReviewNote]:
        """Notes of staff; none for who acts for the account."""
        if acts_for(info.context.actor, self.key.account_id):
            return []
        rows = await info.context.loader(NOTES).load(self.key)
        return [await opened(row, info.context) for row in rows]

    @strawberry.field
    async def same_person(self, info: Info) -> list[Annotated["Anchor", ANCHORS]]:
        """Other anchors that are the same person: of any account by their passport, of this one by their name. At most
        20, and none for who acts for the account."""
        if acts_for(info.context.actor, self.key.account_id):
            return []
        rows = await info.context.loader(SAME_PERSON).load(self.key)
        return [home("anchors").Anchor.of(row) for row in rows]

    @strawberry.field
    def verification(self, info: Info) -> Annotated["Verification", strawberry.lazy("greenroom.verifications.api")]:
        """The attempt."""
        return home("verifications").shown_now(self.row, info.context)


async def opened(row: Record, context: Context) -> ReviewNote:
    """Open a note."""
    account_id, anchor_id = row["account_id"], row["anchor_id"]
    place = context_of(account_id, anchor_id)
    seal = Seal(await context.services.keys.unwrap(row["master_key_id"], row["wrapped"], context=place))
    text = seal.open(row["text"], account_id=account_id, anchor_id=anchor_id, column="note")
    return ReviewNote(author=row["author"], created_at=row["created_at"], text=text)


@strawberry.type
class ReviewTaskEdge(Edge[ReviewTask]):
    """One review task of a page."""


@strawberry.type
class ReviewTaskConnection(CountedConnection[ReviewTask, ReviewTaskEdge]):
    """A page of review tasks."""


async def load(info: Info, key: Key) -> ReviewTask | None:
    """Return a task; None when absent, or the caller is no reviewer of it."""
    actor = info.context.actor
    if not actor.permissions & REVIEWERS or acts_for(actor, key.account_id):
        return None
    row = await info.context.loader(TASKS).load(key)
    return ReviewTask.of(row, info.context) if row else None


async def read_anchors(info: Info, rows: list[Record]) -> None:
    """Have the anchors of these attempts at hand, in one statement for all their accounts."""
    loader = info.context.loader(home("anchors").ANCHORS)
    asked = {"account_ids": [row["account_id"] for row in rows], "ids": [row["anchor_id"] for row in rows]}
    for row in await info.context.rows(reads.ANCHORS, reads.EVERYWHERE, **asked):
        loader.prime(Key(row["account_id"], row["id"]), row)


@strawberry.type
class ReviewQueries:
    """Reads of what awaits a decision."""

    @strawberry.field
    async def review_tasks(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        is_escalated: Annotated[
            bool | None, strawberry.argument(description="Only escalated ones.")
        ] = strawberry.UNSET,
        path: Annotated[VerificationPath | None, strawberry.argument(description="Only this path.")] = strawberry.UNSET,
        state: Annotated[
            ReviewTaskState | None, strawberry.argument(description="OPEN by default.")
        ] = strawberry.UNSET,
    ) -> ReviewTaskConnection | None:
        """Submissions to decide, most urgent first: contact data last, else who waits longest. Decided ones newest
        first. Requires REVIEW."""
        context, asked, escalated = info.context, given(path), given(is_escalated)
        if not context.actor.permissions & REVIEWERS:
            raise lacking(info, Permission.REVIEW)
        paths = [each for each in PATHS if asked in (None, each)]
        if not context.in_force.policy.review_contact:  # A27
            paths = [each for each in paths if each != VerificationPath.CONTACT]
        found = await read_page(
            info,
            reads.QUEUES[given(state) or ReviewTaskState.OPEN],
            (first, after, last, before),
            reads.EVERYWHERE,
            paths=paths,
            escalations=[True, False] if escalated is None else [escalated],
            now=context.now,
        )
        rows = list(found.part.rows)
        if rows and asks_for(info, "anchor", deep=True):
            await read_anchors(info, rows)
        nodes = [task for row in rows if (task := ReviewTask.of(row, context))]
        return found.counted(ReviewTaskConnection, ReviewTaskEdge, nodes)
