"""Transfers: what the two ways of a photo's bytes share, in by uploads.py and out by downloads.py."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from greenroom.answers import Answer, Voice
from greenroom.context import Services
from greenroom.db import Record
from greenroom.db import Scope as Rows
from greenroom.documents import actions
from greenroom.documents.links import Link
from greenroom.documents.storage import Store
from greenroom.errors import Words
from greenroom.requests import JSON, HttpRefusal, language_of

AT_ONCE_MAX = 32  # of one process under way, each way
AT_ONCE_WITH_ONE_TOKEN_MAX = 8
TAKES_MAX_S = 600.0  # to arrive: 20 MB at 35 kB a second
GIVES_MAX_S = 120.0  # to be read: 12 MB at 100 kB a second

FULL = HttpRefusal(
    503,
    "BUSY",
    Words("Too many photos are on their way. Try again in a moment.", "同时传输的照片过多，请稍后重试。"),
    {"retry-after": "2"},
)
STORE_AWAY = HttpRefusal(
    503,
    "UNAVAILABLE",
    Words("The store is out of reach for the moment. Try again shortly.", "存储暂时不可用，请稍后重试。"),
    {"retry-after": "2"},
)


class Transfer:
    """An ASGI application at an address with a token, which is leave enough: it names one document, for a while.

    `now` tells the present; `in_time` bounds the making of an answer and masks its faults, as
    `GraphQLEndpoint.in_time` does. A caller who reads too slowly is cut off.
    """

    most_s: ClassVar[float | None] = None
    """How long the making of an answer may take, where it is longer than that of others."""

    def __init__(
        self,
        services: Callable[[], Services],
        store: Store,
        *,
        now: Callable[[], datetime],
        in_time: Callable[..., Awaitable[Answer | Response]],
    ) -> None:
        self._services, self._store, self._now, self._in_time = services, store, now, in_time
        self._under_way = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        voice = Voice(JSON, language_of(request.headers.get("accept-language")))
        token = request.path_params["token"]
        if self._under_way.total() >= AT_ONCE_MAX or self._under_way[token] >= AT_ONCE_WITH_ONE_TOKEN_MAX:
            return await voice.refused(FULL)(scope, receive, send)
        self._under_way[token] += 1
        try:
            answer = await self._in_time(self._answer(request, voice), voice, most_s=self.most_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(GIVES_MAX_S):
                    await answer(scope, receive, send)
        finally:
            self._under_way -= Counter([token])  # what has come to nought is forgotten

    async def _answer(self, request: Request, voice: Voice) -> Answer | Response:
        raise NotImplementedError

    async def _row(self, link: Link) -> Record | None:
        found = await self._services().db.rows(
            actions.BY_IDS, Rows(link.account_id), account_id=link.account_id, ids=[link.document_id]
        )
        return found[0] if found else None
