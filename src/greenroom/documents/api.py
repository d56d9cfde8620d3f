"""The GraphQL face of documents: places for photos, and what is known of them. Their bytes never travel here."""

from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry
from uuid_utils.compat import uuid7

from greenroom.access import Key, acts_for
from greenroom.context import Context, Info, Once
from greenroom.db import Record
from greenroom.documents import actions
from greenroom.documents.actions import Announced
from greenroom.documents.findings import FAULTS, Fault
from greenroom.documents.links import Purpose
from greenroom.errors import Refused
from greenroom.graph import Node, batch_of, global_id, home, key_of, sight
from greenroom.law.reasons import REASONS, Words
from greenroom.law.terms import DocumentKind, DocumentStatus, FindingCode
from greenroom.payloads import Payload, made, user_errors
from greenroom.scalars import URL, Instant

if TYPE_CHECKING:
    from greenroom.verifications.requirements import ReviewFinding

UPLOADS_AT = "/uploads"
DOCUMENTS = batch_of(actions.BY_IDS, "ids")
WAITING = batch_of(actions.NOT_HANDED_IN, "anchor_ids", by="anchor_id", many=True)
strawberry.enum(DocumentStatus)


@strawberry.type
class Document(Node):
    """An identity photo. Its bytes never travel through GraphQL."""

    byte_size: int
    """Size in bytes."""
    kind: DocumentKind
    """What it shows."""
    status: DocumentStatus
    """State."""
    row: strawberry.Private[Record]

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a client sees of a document's row."""
        return cls(
            id=global_id("Document", row["account_id"], row["id"]),
            byte_size=row["byte_size"],
            kind=DocumentKind(row["kind"]),
            status=DocumentStatus(row["status"]),
            row=row,
        )

    @strawberry.field
    def findings(self, info: Info) -> list[Annotated["ReviewFinding", strawberry.lazy("greenroom.verifications.api")]]:
        """What the checks found, at once."""
        finding, language = home("verifications").ReviewFinding, info.context.language
        return [
            finding(
                code=FindingCode(each["code"]),
                message=words_of(each).said_in(language),
                requirement=actions.REQUIREMENT[self.kind],
            )
            for each in actions.findings_in(self.row)
        ]


def words_of(finding: dict[str, Any]) -> Words:
    """Return the words of what the checks found: of a fault, or of the code that a measure warns with."""
    fault = finding.get("fault")
    return FAULTS[Fault(fault)][1] if fault else REASONS[FindingCode(finding["code"])].words


@strawberry.type
class HttpHeader:
    """An HTTP header."""

    name: str
    """Name."""
    value: str
    """Value."""


@strawberry.type
class StagedUpload:
    """Where and how to send one photo."""

    document: Document
    """To be named in `verificationSubmit`."""
    expires_at: Instant
    """When the place closes."""
    headers: list[HttpHeader]
    """Headers to send as they are."""
    url: URL
    """Send the bytes here with PUT."""


@strawberry.input
class StagedUploadInput:
    """A photo to be sent."""

    byte_size: int
    """Size in bytes."""
    kind: DocumentKind
    """What it shows."""
    mime_type: str
    """Such as image/jpeg."""
    sha256: str
    """Hex digest of the content, checked on arrival."""


@strawberry.input
class StagedUploadsCreateInput:
    """Arguments of `stagedUploadsCreate`."""

    anchor_id: strawberry.ID
    """Whose photos; consent must be on file."""
    uploads: list[StagedUploadInput]
    """At most 10."""
    idempotency_key: str | None = strawberry.UNSET
    """Makes a retry safe for 24 hours."""


@strawberry.type
class StagedUploadsCreatePayload(Payload):
    """Result of `stagedUploadsCreate`."""

    staged_uploads: list[StagedUpload] | None = None
    """In the order asked."""


@strawberry.type
class DocumentMutations:
    """What can be done with documents."""

    @strawberry.mutation
    async def staged_uploads_create(
        self, info: Info, input: StagedUploadsCreateInput
    ) -> StagedUploadsCreatePayload | None:
        """Reserves places for photos, to be sent with plain HTTP."""
        context, key, batch_id = info.context, key_of("Anchor", input.anchor_id), uuid7()
        announced = [Announced(each.kind, each.byte_size, each.mime_type, each.sha256) for each in input.uploads]
        outcome = await context.perform(
            lambda tx: actions.stage_uploads(
                tx,
                key,
                batch_id=batch_id,
                announced=announced,
                keys=context.services.keys,
                by=context.actor,
                now=context.now,
            ),
            account_id=key.account_id,
            once=Once.of(input.idempotency_key, ["stagedUploadsCreate", strawberry.asdict(input)], batch_id),
        )
        if isinstance(outcome, Refused):
            return StagedUploadsCreatePayload(user_errors=user_errors(outcome, info))
        rows = await context.rows(
            actions.OF_BATCH,
            sight(context, key.account_id),
            account_id=key.account_id,
            batch_id=made(outcome),
        )
        return StagedUploadsCreatePayload(staged_uploads=[place(row, context) for row in rows])


def place(row: Record, context: Context) -> StagedUpload:
    """Return where a photo is sent: a link that holds as long as the place does, and needs nothing else."""
    token = context.services.links.sign(
        Purpose.UPLOAD, account_id=row["account_id"], document_id=row["id"], expires_at=row["expires_at"]
    )
    return StagedUpload(
        document=Document.of(row),
        expires_at=row["expires_at"],
        headers=[HttpHeader(name="Content-Type", value="application/octet-stream")],
        url=URL(f"{context.services.public_url}{UPLOADS_AT}/{token}"),
    )


async def waiting(info: Info, anchor: Key) -> list[Document]:
    """Return an anchor's photos that are not handed in, newest first: the account's own to see."""
    if not acts_for(info.context.actor, anchor.account_id):
        return []
    return [Document.of(row) for row in await info.context.loader(WAITING).load(anchor)]


async def load(info: Info, key: Key) -> Document | None:
    """Return a document; None when absent or hidden. Staff see none outside a reveal."""
    row = await info.context.loader(DOCUMENTS).load(key) if acts_for(info.context.actor, key.account_id) else None
    return Document.of(row) if row else None
