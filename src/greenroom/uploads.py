"""Uploads: where the bytes of a photo are sent, with plain PUT, to the URL that `stagedUploadsCreate` gave."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from greenroom.access import Key
from greenroom.anchors.actions import data_key_at
from greenroom.answers import Answer, Voice
from greenroom.db import Record
from greenroom.db import Scope as Rows
from greenroom.documents import actions
from greenroom.documents.links import BadLink, LinkFault, Purpose
from greenroom.documents.storage import ObjectName, StoreUnavailable
from greenroom.documents.stream import Content, Difference, NotAsAnnounced, Rendition, Sealing
from greenroom.errors import Words
from greenroom.law.terms import DocumentStatus
from greenroom.requests import HttpRefusal
from greenroom.transfers import STORE_AWAY, TAKES_MAX_S, Transfer

PAUSE_MAX_S = 20.0  # between two pieces

GONE = HttpRefusal(
    410, "UPLOAD_EXPIRED", Words("This place has closed. Reserve a new one.", "上传地址已过期，请重新申请。")
)
BAD_LINK = HttpRefusal(
    404,
    "NOT_FOUND",
    Words("This is no upload address of ours. Use the URL as it was given.", "上传地址无效，请原样使用所给的地址。"),
)
TAKEN = HttpRefusal(
    409,
    "UPLOAD_COMPLETE",
    Words(
        "This photo is here already and can't be replaced. Reserve a new place for another one.",
        "该照片已上传，不能替换；如需更换，请重新申请上传地址。",
    ),
)
DIFFERENCES = {
    Difference.MORE_BYTES: HttpRefusal(
        413,
        "MORE_BYTES_THAN_ANNOUNCED",
        Words(
            "More bytes came than were announced. Announce the file as it is.",
            "文件大于申报的大小，请按实际大小重新申请。",
        ),
    ),
    Difference.FEWER_BYTES: HttpRefusal(
        400,
        "FEWER_BYTES_THAN_ANNOUNCED",
        Words("The file came incomplete. Send it again to the same URL.", "文件不完整，请用同一地址重新上传。"),
    ),
    Difference.OTHER_DIGEST: HttpRefusal(
        400,
        "DIGEST_MISMATCH",
        Words(
            "What came has another SHA-256 than was announced. Send it again to the same URL.",
            "文件与申报的 SHA-256 摘要不符，请用同一地址重新上传。",
        ),
    ),
}
SLOW = HttpRefusal(
    408,
    "UPLOAD_TOO_SLOW",
    Words("Nothing came for too long. Send it again to the same URL.", "上传超时，请用同一地址重试。"),
)


class Uploads(Transfer):
    """PUT /uploads/{token}: takes one photo in, sealed before it rests, and has it checked, until its place closes.

    Answers 204, or why not; what was cut short can be sent again to the same URL, what has arrived can't be replaced.
    """

    most_s = TAKES_MAX_S

    async def _answer(self, request: Request, voice: Voice) -> Answer | Response:
        link = self._services().links.read(request.path_params["token"], purpose=Purpose.UPLOAD, now=self._now())
        if isinstance(link, BadLink):
            return voice.refused(GONE if link.reason is LinkFault.EXPIRED else BAD_LINK)
        row = await self._row(link)
        if row is None:
            return voice.refused(BAD_LINK)
        if row["status"] != DocumentStatus.STAGED:
            return voice.refused(TAKEN)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > row["byte_size"]:
            return voice.refused(DIFFERENCES[Difference.MORE_BYTES])
        try:
            return await self._take(request, row, voice)
        except NotAsAnnounced as wrong:
            return voice.refused(DIFFERENCES[wrong.difference])
        except (TimeoutError, ClientDisconnect):
            return voice.refused(SLOW)
        except StoreUnavailable:
            return voice.refused(STORE_AWAY)

    async def _take(self, request: Request, row: Record, voice: Voice) -> Answer | Response:
        services, key = self._services(), Key(row["account_id"], row["id"])
        data_key = await data_key_at(services.db, key.account_id, row["anchor_id"], keys=services.keys)
        if data_key is None:  # erased: nothing may be taken any more
            return voice.refused(GONE)
        name = ObjectName(key.account_id, key.id, uuid7())
        sealing = Sealing(
            steady(request.stream()),
            data_key=data_key,
            name=name,
            rendition=Rendition.ORIGINAL,
            announced=Content(row["byte_size"], row["sha256"]),
        )
        await self._store.put(name, sealing)
        async with services.db.transaction(Rows(key.account_id)) as tx:
            is_taken = await actions.take_in(tx, key, object_id=name.object_id, now=self._now())
        if is_taken:
            return Response(status_code=204, headers={"cache-control": "no-store"})
        await self._store.delete(name)  # not where the commit's outcome is unknown: the sweep sees what no row names
        return voice.refused(GONE if row["expires_at"] <= self._now() else TAKEN)


async def steady(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what arrives, for as long as it does. Raises TimeoutError."""
    while True:
        async with asyncio.timeout(PAUSE_MAX_S):
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece
