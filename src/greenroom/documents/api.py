"""The GraphQL face of documents: places for photos, and what is known of them. Their bytes never travel here."""

from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry
from uuid_utils.compat import uuid7

from greenroom.access import Key, acts_for
from greenroom.context import Context, Info, Once
from greenroom.db import Record
from greenroom.documents import actions
from greenroom.documents.actions import Announced
from greenroom.documents.findings import FAULTS, Fault, Measure
from greenroom.documents.links import Purpose
from greenroom.errors import Refused
from greenroom.graph import Node, batch_of, global_id, home, key_of, sight
from greenroom.law.days import day_of
from greenroom.law.mrz import Zone, read
from greenroom.law.reasons import REASONS, Words
from greenroom.law.states import STATES
from greenroom.law.terms import DocumentKind, DocumentStatus, FindingCode
from greenroom.payloads import Payload, made, user_errors
from greenroom.scalars import URL, CountryCode, Day, Instant
from greenroom.sealing import Seal, context_of

if TYPE_CHECKING:
    from greenroom.verifications.requirements import ReviewFinding

UPLOADS_AT = "/uploads"
DOCUMENTS = batch_of(actions.BY_IDS, "ids")
WAITING = batch_of(actions.NOT_HANDED_IN, "anchor_ids", by="anchor_id", many=True)
ZONES = batch_of(actions.ZONES, "ids")
strawberry.enum(DocumentStatus)


@strawberry.type
class DocumentZone:
    """What a photo's machine-readable zone says. Its check digits are right; no digit guards names and states."""

    date_of_birth: Day | None
    """Date of birth; null where it is not known to the day."""
    document_number: str
    """Passport number; on a visa the passport's or its own."""
    expires_on: Day | None
    """Its last day."""
    is_certain: bool
    """Whether the number was read without doubt: nothing was mended in it, and no look-alike would fit its check digit.
    Then the zone stands for `mrz` where that is left out."""
    issuer: CountryCode | None
    """Issuing state."""
    lines: list[str]
    """Both lines."""
    name: str
    """Family name, then given names, in A to Z."""
    nationality: CountryCode | None
    """Nationality."""

    @classmethod
    def of(cls, zone: Zone, *, is_certain: bool) -> Self:
        """What a client sees of a zone."""
        born, issuer, nationality = zone.born, STATES.get(zone.issuer), STATES.get(zone.nationality)
        return cls(
            date_of_birth=Day(born.latest) if born and born.earliest == born.latest else None,
            document_number=zone.number,
            expires_on=Day(zone.expires_on) if zone.expires_on else None,
            is_certain=is_certain,
            issuer=CountryCode(issuer) if issuer else None,
            lines=list(zone.lines),
            name=" ".join((*zone.names.primary, *zone.names.secondary)),
            nationality=CountryCode(nationality) if nationality else None,
        )


@strawberry.type
class Document(Node):
    """An identity photo. Its bytes never travel through GraphQL."""

    byte_size: int
    """Size in bytes: as announced, and once READY of the copy that is kept."""
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
    async def zone(self, info: Info) -> DocumentZone | None:
        """Its machine-readable zone as read from the photo, to fill in a form; null where it could not be read, where
        photos are not read at all, for staff, and once the document is handed in. Comes a while after READY."""
        return await zone_read(info, Key(self.row["account_id"], self.row["id"]))

    @strawberry.field
    def findings(self, info: Info) -> list[Annotated["ReviewFinding", strawberry.lazy("greenroom.verifications.api")]]:
        """What the checks found, at once."""
        finding, measured = home("verifications").ReviewFinding, home("verifications").Measured
        return [
            finding(
                code=FindingCode(each["code"]),
                message=words_of(each).said_in(info.context.language),
                requirement=actions.REQUIREMENT[self.kind],
                document_kind=self.kind,
                measured=measured(name=Measure(each["measure"]), value=each["value"], threshold=each["threshold"])
                if "measure" in each
                else None,
            )
            for each in actions.findings_in(self.row)
        ]


def words_of(finding: dict[str, Any]) -> Words:
    """Return the words of what the checks found: of a fault, or of the code that a measure warns with."""
    fault = finding.get("fault")
    return FAULTS[Fault(fault)][1] if fault else REASONS[FindingCode(finding["code"])].words


async def zone_read(info: Info, key: Key) -> DocumentZone | None:
    """Open the zone of a document that is not handed in, for the account's own people alone."""
    if not acts_for(info.context.actor, key.account_id):
        return None
    row = await info.context.loader(ZONES).load(key)
    if row is None:
        return None
    place = {"account_id": key.account_id, "anchor_id": row["anchor_id"]}
    data_key = await info.context.services.keys.unwrap(
        row["master_key_id"], row["wrapped"], context=context_of(**place)
    )
    text = Seal(data_key).open(row["zone"], **place, column="zone")
    zone = read(text, today=day_of(info.context.now))
    return DocumentZone.of(zone, is_certain=row["is_zone_certain"]) if isinstance(zone, Zone) else None


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
    """Size in bytes, as announced."""
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
