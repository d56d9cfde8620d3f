"""What is told of verifications as it happens: each change of a status, from the account's log and in its order."""

from collections.abc import AsyncGenerator
from typing import Annotated, Self

import orjson
import strawberry

from greenroom.access import Key
from greenroom.context import Info
from greenroom.events.feeds import Entry
from greenroom.events.following import cursor_at, followed
from greenroom.graph import given, key_of
from greenroom.law.terms import VerificationStatus
from greenroom.scalars import Instant
from greenroom.verifications.api import Verification, load

STATUS_CHANGES = frozenset(f"VERIFICATION_{status.value}" for status in VerificationStatus)
OfAccount = Annotated[strawberry.ID, strawberry.argument(description="The account.")]
LastSeen = Annotated[str | None, strawberry.argument(description="Last cursor seen.")]


@strawberry.type
class VerificationStatusChanged:
    """An event of `verificationStatusChanged`."""

    cursor: str
    """To resume from."""
    occurred_at: Instant
    """When."""
    previous_status: VerificationStatus | None
    """State before; null for a new attempt."""
    status: VerificationStatus
    """State after, as of this event."""
    key: strawberry.Private[Key]

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """What a client sees of an event."""
        detail = orjson.loads(entry.detail)
        was = detail["previous_status"]
        return cls(
            cursor=cursor_at(entry),
            occurred_at=Instant(entry.occurred_at),
            previous_status=was and VerificationStatus(was),
            status=VerificationStatus(detail["status"]),
            key=Key(entry.account_id, entry.subject_id),
        )

    @strawberry.field
    async def verification(self, info: Info) -> Verification:
        """The attempt now."""
        found = await load(info, self.key)
        assert found is not None  # attempts stay, whatever is erased of them
        return found


@strawberry.type
class VerificationSubscriptions:
    """What is told of verifications."""

    @strawberry.subscription
    async def verification_status_changed(
        self, info: Info, account_id: OfAccount, after: LastSeen = strawberry.UNSET
    ) -> AsyncGenerator[VerificationStatusChanged | None, None]:
        """A verification under the account changed its status or its app session's."""
        key = key_of("Account", account_id)
        entries = await followed(info, key.account_id, STATUS_CHANGES, after=given(after))
        return changes(entries)


async def changes(entries: AsyncGenerator[Entry, None]) -> AsyncGenerator[VerificationStatusChanged, None]:
    """Yield events as clients see them."""
    try:
        async for entry in entries:
            yield VerificationStatusChanged.of(entry)
    finally:
        await entries.aclose()
