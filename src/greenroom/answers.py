"""Answers: how a GraphQL request is answered, and the words for what goes wrong before or beside an operation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from greenroom.db import Hindered
from greenroom.errors import Words
from greenroom.explorer import SECURITY_HEADERS
from greenroom.limits import Exceeded
from greenroom.operations import Document, Invalid
from greenroom.rates import Budget, Exhausted
from greenroom.requests import GRAPHQL, JSON, HttpRefusal

Error = dict[str, Any]

INTERNAL = Words(
    "Something went wrong on our side. Try again; if it stays, tell us the id {id}.",
    "系统内部出现问题，请稍后重试；如仍未恢复，请提供编号 {id} 与我们联系。",
)
TIMEOUT = Words(
    "This took longer than {seconds} s and was stopped; quote the id {id}. Ask for less at once; repeat a mutation"
    " with the same idempotency key.",
    "请求超过 {seconds} 秒，已中止，编号 {id}。请减少单次查询的内容；变更请使用相同的幂等键重试。",
)
RATE_LIMITED = Words(
    "This costs {asked} points and {remaining} of {allowed} are left. Try again in {wait} s.",
    "此操作需 {asked} 点，当前剩余 {remaining} 点（共 {allowed} 点）。请在 {wait} 秒后重试。",
)


NO_OPERATION = Words(
    "`operationName` must name one operation of this document; it has {known}.",
    "`operationName` 须指明本文档中的一个操作，现有：{known}。",
)
NO_SUBSCRIPTION = Words(
    "Subscriptions are served by WebSocket (graphql-transport-ws) at this address, and as events at /graphql/stream.",
    "订阅请在此地址使用 WebSocket（graphql-transport-ws），或以事件流方式访问 /graphql/stream。",
)
ONLY_SUBSCRIPTIONS = Words(
    "Only subscriptions are served here: send queries and mutations to /graphql by POST.",
    "此处仅支持订阅；查询与变更请以 POST 发送至 /graphql。",
)


_SENT_ALWAYS = {
    **SECURITY_HEADERS,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "vary": "Accept, Accept-Language",
}
_HEADERS = {
    media_type: [
        (name.encode(), value.encode())
        for name, value in {"content-type": f"{media_type}; charset=utf-8", **_SENT_ALWAYS}.items()
    ]
    for media_type in (JSON, GRAPHQL)
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer ready to send; an ASGI application."""

    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    budget: Budget | Exhausted | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [*_HEADERS[self.media_type], (b"content-length", b"%d" % len(self.body))]
        if budget := self.budget:
            headers += (
                (b"ratelimit-limit", b"%d" % budget.limit),
                (b"ratelimit-remaining", b"%d" % budget.remaining),
                (b"ratelimit-reset", b"%d" % budget.reset_s),
                (b"ratelimit-cost", b"%d" % budget.cost),
            )
        headers += [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(frozen=True, slots=True)
class Voice:
    """How one request wants to be answered: the media type it accepts and the language it reads."""

    media_type: str
    language: str

    def result(self, data: dict[str, Any] | None, errors: list[Error], budget: Budget) -> Answer:
        """Answer an operation that ran, errors first, as the specification likes it."""
        return Answer(200, self.media_type, orjson.dumps(payload_of(data, errors)), budget=budget)

    def request_errors(self, errors: Iterable[Error], budget: Budget) -> Answer:
        """Answer a well-formed request whose operation does not run."""
        status = 400 if self.media_type == GRAPHQL else 200
        return Answer(status, self.media_type, _errors(*errors), budget=budget)

    def worded(self, errors: Iterable[Error]) -> list[Error]:
        """Return errors about a document or its variables in this request's language."""
        return [in_chinese(error) for error in errors] if self.language == "zh" else list(errors)

    def refused(self, refused: HttpRefusal) -> Answer:
        """Answer a request that HTTP itself refuses."""
        return Answer(
            refused.status, self.media_type, _errors(self.error(refused.words, refused.code)), refused.headers
        )

    def too_large(self, exceeded: Exceeded) -> Answer:
        """Answer a body beyond its limit."""
        return Answer(413, self.media_type, _errors(self.limit_error(exceeded)))

    def exhausted(self, budget: Exhausted) -> Answer:
        """Answer a caller whose budget does not suffice."""
        headers = {"retry-after": str(budget.retry_after_s)}
        return Answer(429, self.media_type, _errors(self.rate_error(budget)), headers, budget)

    def rate_error(self, budget: Exhausted) -> Error:
        """Say that a budget does not suffice, and from when on it will."""
        values = {"asked": budget.cost, "allowed": budget.limit, "remaining": budget.remaining}
        extensions = {"limit": "rate", **values, "retryAfter": budget.retry_after_s}
        return self.error(RATE_LIMITED, "RATE_LIMITED", extensions, wait=budget.retry_after_s, **values)

    def internal(self, error_id: str) -> Answer:
        """Answer where a fault of ours leaves nothing else to say."""
        return Answer(500, self.media_type, _errors(self.masked(error_id)))

    def hindered(self, hindrance: Hindered) -> Answer:
        """Answer where the database hinders us from saying anything else."""
        return Answer(503, self.media_type, _errors(self.hindrance(hindrance)), {"retry-after": "1"})

    def timed_out(self, error_id: str, *, allowed_s: float) -> Answer:
        """Answer a request that took too long."""
        return Answer(503, self.media_type, _errors(self.time_error(error_id, allowed_s=allowed_s)))

    def time_error(self, error_id: str, *, allowed_s: float) -> Error:
        """Say that it took too long."""
        extensions = {"limit": "time_s", "allowed": allowed_s, "errorId": error_id}
        return self.error(TIMEOUT, "TIMEOUT", extensions, id=error_id, seconds=f"{allowed_s:g}")

    def document_errors(self, document: Invalid | Exceeded) -> list[Error]:
        """Say why a document cannot run."""
        return list(document.errors) if isinstance(document, Invalid) else [self.limit_error(document)]

    def operation_error(self, document: Document) -> Error:
        """Say which operations there are."""
        known = ", ".join(sorted(name for name in document.operations if name)) or "–"
        return self.error(NO_OPERATION, "OPERATION_RESOLUTION_FAILURE", known=known)

    def limit_error(self, exceeded: Exceeded) -> Error:
        """Say which limit, how much was asked, how much is allowed."""
        return {"message": exceeded.said(self.language), "extensions": exceeded.extensions}

    def masked(self, error_id: str) -> Error:
        """Say that it is our fault, and nothing else."""
        return self.error(INTERNAL, "INTERNAL", {"errorId": error_id}, id=error_id)

    def hindrance(self, hindrance: Hindered) -> Error:
        """Say that the same may be asked again."""
        return self.error(hindrance.words, hindrance.code)

    def error(self, words: Words, code: str, extensions: Mapping[str, Any] | None = None, **values: object) -> Error:
        """Return an error in this request's language."""
        sentence = words.zh if self.language == "zh" else words.en
        return {"message": sentence.format(**values), "extensions": {"code": code, **(extensions or {})}}


def payload_of(data: dict[str, Any] | None, errors: list[Error]) -> dict[str, Any]:
    """Return what an operation answered, errors first, as the specification likes it."""
    return {"errors": errors, "data": data} if errors else {"data": data}


def in_chinese(error: Error) -> Error:
    """Say in Chinese what kind of mistake it is; graphql-core tells the rest in English alone."""
    begun = CORES_OWN.get(error["extensions"]["code"])
    return error | {"message": f"{begun}{error['message']}"} if begun and error["message"].isascii() else error


CORES_OWN = {
    "GRAPHQL_PARSE_FAILED": "查询语法有误：",
    "GRAPHQL_VALIDATION_FAILED": "查询与接口定义不符：",
    "BAD_USER_INPUT": "变量取值有误：",
}


def _errors(*errors: Error) -> bytes:
    return orjson.dumps({"errors": errors})
