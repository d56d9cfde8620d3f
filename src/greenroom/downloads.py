"""Downloads: where reviewers fetch the bytes of a photo, by a link of one minute that a reveal gave them."""

from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from greenroom.anchors.actions import data_key_at
from greenroom.answers import Answer, Voice
from greenroom.documents.links import BadLink, LinkFault, Purpose
from greenroom.documents.storage import ObjectMissing, ObjectName, StoreUnavailable
from greenroom.documents.stream import Rendition, opened
from greenroom.errors import Words
from greenroom.explorer import SECURITY_HEADERS
from greenroom.law.terms import DocumentStatus
from greenroom.requests import HttpRefusal
from greenroom.sealing import SealingError
from greenroom.transfers import STORE_AWAY, Transfer

# The page may show it as an image, never as a document of its own; and it stays nowhere.
HEADERS = {
    **SECURITY_HEADERS,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
BAD_LINK = HttpRefusal(
    404,
    "NOT_FOUND",
    Words("This is no link to a photo of ours. Use it as it was given.", "链接无效，请原样使用所给的链接。"),
)
OVER = HttpRefusal(
    410,
    "LINK_EXPIRED",
    Words("This link has ended. Reveal the verification again.", "链接已过期，请重新查看该认证资料。"),
)
ERASED = HttpRefusal(410, "GONE", Words("This photo is not there any more.", "该照片已不存在。"))
log = structlog.get_logger("greenroom")


class Downloads(Transfer):
    """GET /documents/{token}: one photo, a JPEG, opened while it is sent. The reveal that made it is in the log."""

    async def _answer(self, request: Request, voice: Voice) -> Answer | Response:
        services = self._services()
        link = services.links.read(request.path_params["token"], purpose=Purpose.DOWNLOAD, now=self._now())
        if isinstance(link, BadLink):
            return voice.refused(OVER if link.reason is LinkFault.EXPIRED else BAD_LINK)
        row = await self._row(link)
        if row is None or row["status"] != DocumentStatus.READY:
            return voice.refused(BAD_LINK)
        data_key = await data_key_at(services.db, link.account_id, row["anchor_id"], keys=services.keys)
        if data_key is None:
            return voice.refused(ERASED)
        name = ObjectName(link.account_id, link.document_id, row["object_id"])
        try:
            sealed = await self._store.get(name)
            plain = opened(sealed, data_key=data_key, name=name, rendition=Rendition.CHECKED)
            first = await anext(plain)  # before a head is sent: what is missing or damaged is told
        except ObjectMissing:
            log.error("photo missing", object=str(name))
            return voice.refused(ERASED)
        except SealingError:
            log.error("photo damaged", object=str(name))
            raise
        except StoreUnavailable:
            return voice.refused(STORE_AWAY)
        kind = str(row["kind"]).lower().replace("_", "-")
        headers = HEADERS | {
            "content-disposition": f'attachment; filename="{kind}-{row["id"].hex[-8:]}.jpg"',
            "content-length": str(row["byte_size"]),
        }
        return StreamingResponse(chained(first, plain, name), media_type="image/jpeg", headers=headers)


async def chained(first: bytes, rest: AsyncIterator[bytes], name: ObjectName) -> AsyncIterator[bytes]:
    """Yield what was read already, and then the rest; where that does not open, the answer breaks off."""
    yield first
    try:
        async for piece in rest:
            yield piece
    except SealingError:
        log.error("photo damaged", object=str(name))
        raise
