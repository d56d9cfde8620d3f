"""Requests: what the head and the body of a GraphQL request say, read strictly and within bounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from greenroom.errors import Words
from greenroom.law.terms import Language
from greenroom.limits import Exceeded

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HTML = "text/html"

_HEADER_LENGTH_MAX = 1_000  # what stands behind it is not read: the caches below stay small


@dataclass(frozen=True, slots=True)
class HttpRefusal:
    """A request that HTTP itself refuses: the sentence says what to do instead."""

    status: int
    code: str
    words: Words
    headers: Mapping[str, str] = field(default_factory=dict)


METHODS = "GET, HEAD, POST"
NO_ADDRESS = HttpRefusal(
    404,
    "NOT_FOUND",
    Words("There is nothing at this address: GraphQL is at /graphql.", "此地址不存在，GraphQL 接口位于 /graphql。"),
)
METHOD = HttpRefusal(
    405,
    "METHOD_NOT_ALLOWED",
    Words("Send a POST, or a GET for queries.", "请使用 POST；查询也可使用 GET。"),
    {"allow": METHODS},
)
OTHER_METHOD = HttpRefusal(
    405,
    "METHOD_NOT_ALLOWED",
    Words("Use another method here: see the header Allow.", "请改用其他请求方法，参见 Allow 响应头。"),
)
GET_MUTATION = HttpRefusal(
    405,
    "METHOD_NOT_ALLOWED",
    Words("GET is for queries alone: send this operation by POST.", "GET 仅可用于查询，此操作请使用 POST。"),
    {"allow": "POST"},
)
ACCEPT = HttpRefusal(
    406,
    "NOT_ACCEPTABLE",
    Words(f"Answers come as {GRAPHQL} or {JSON}, in UTF-8.", f"响应格式为 {GRAPHQL} 或 {JSON}，编码为 UTF-8。"),
)
CONTENT_TYPE = HttpRefusal(
    415,
    "UNSUPPORTED_MEDIA_TYPE",
    Words(f"Send the request as {JSON} in UTF-8.", f"请以 UTF-8 编码的 {JSON} 发送请求。"),
    {"accept-post": JSON},
)
NOT_JSON = HttpRefusal(
    400,
    "BAD_REQUEST",
    Words("The request is not complete, well-formed JSON in UTF-8.", "请求内容不是完整、合法的 UTF-8 编码 JSON。"),
)
BATCH = HttpRefusal(
    400,
    "BATCHING_UNSUPPORTED",
    Words(
        "One operation a request: several go as several requests, or as fields of one operation.",
        "每个请求仅支持一个操作；多个操作请分多次请求，或合并为同一操作的多个字段。",
    ),
)
SHAPE = HttpRefusal(
    400,
    "BAD_REQUEST",
    Words(
        "Send {{query: string, operationName?: string, variables?: object, extensions?: object}}.",
        "请求格式应为 {{query: 字符串, operationName?: 字符串, variables?: 对象, extensions?: 对象}}。",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a GraphQL request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None = None


def refused_head(request: Request, media_type: str | None) -> HttpRefusal | None:
    """Return why a request is refused before its body is read; `media_type` is what was negotiated."""
    if request.method not in ("GET", "HEAD", "POST"):
        return METHOD
    if media_type is None:
        return ACCEPT
    if request.method == "POST" and not is_json(request.headers.get("content-type", "")):
        return CONTENT_TYPE
    return None


async def asked_by(request: Request, *, bytes_max: int) -> Asked | HttpRefusal | Exceeded:
    """Return what a request asks for, from its body or a GET's query string, or why that cannot be read."""
    if request.method == "POST":
        body = await body_of(request, bytes_max=bytes_max)
        if isinstance(body, Exceeded):
            return body
        try:
            return shaped(orjson.loads(body))
        except orjson.JSONDecodeError:
            return NOT_JSON
    query_string: bytes = request.scope["query_string"]
    if len(query_string) > bytes_max:
        return Exceeded("body_bytes", len(query_string), bytes_max)
    try:
        given: dict[str, Any] = dict(parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=10))
        decoded = {name: orjson.loads(given[name]) for name in ("variables", "extensions") if name in given}
    except ValueError:  # of the URL's encoding and of JSON alike
        return NOT_JSON
    return shaped(given | decoded)


async def body_of(request: Request, *, bytes_max: int) -> bytearray | Exceeded:
    """Read no further than the limit, whatever the caller announced. A body cut short ends as malformed JSON."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > bytes_max:
        return Exceeded("body_bytes", int(declared), bytes_max)
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return bytearray()
        body += message.get("body", b"")
        if len(body) > bytes_max:
            return Exceeded("body_bytes", len(body), bytes_max)
        more = message.get("more_body", False)
    return body


def shaped(given: object) -> Asked | HttpRefusal:
    """Return the parameters in decoded JSON, or why they are none."""
    if isinstance(given, list):
        return BATCH
    if not isinstance(given, dict):
        return SHAPE
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    if not isinstance(query, str) or not isinstance(name, str | None):
        return SHAPE
    if not isinstance(variables, dict | None) or not isinstance(extensions, dict | None):
        return SHAPE
    return Asked(query, name or None, variables, extensions)


def language_of(accept_language: str | None) -> Language:
    """Return `zh` or `en`, whichever an Accept-Language header prefers; `en` where it names neither."""
    return _language((accept_language or "")[:_HEADER_LENGTH_MAX])


def media_type_of(accept: str | None, *, offered: Sequence[str]) -> str | None:
    """Return the best of the offered media types for an Accept header, or None where it takes none of them.

    A type that the header names itself beats one that it takes by a wildcard. Where no name decides, the last offered
    wins: GraphQL over HTTP wants `application/json` for `*/*` and for no header at all.
    """
    return _media_type((accept or "*/*")[:_HEADER_LENGTH_MAX], tuple(offered))


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """A body that we read: JSON in UTF-8. Browsers send it across origins only after asking, so forms cannot forge."""
    media_type, parameters = _parsed(content_type[:_HEADER_LENGTH_MAX])
    return media_type == JSON and parameters.get("charset", "utf-8") in ("utf-8", "utf8")


LANGUAGES: dict[str, Language] = {"zh": "zh", "en": "en"}


@lru_cache(maxsize=256)
def _language(header: str) -> Language:
    best: Language = "en"
    best_quality = 0.0
    for tag, parameters in _items(header):
        language, quality = LANGUAGES.get(tag.partition("-")[0]), _quality(parameters)
        if language and quality > best_quality:
            best, best_quality = language, quality
    return best


@lru_cache(maxsize=256)
def _media_type(header: str, offered: tuple[str, ...]) -> str | None:
    ranges = [(name, _quality(p)) for name, p in _items(header) if p.get("charset", "utf-8") in ("utf-8", "utf8")]
    best, best_rank = None, (0.0, 0)
    for media_type in offered:
        # HTML is for those who ask for it by name: a program that takes anything is no browser.
        wildcards = () if media_type == HTML else ("*/*", f"{media_type.partition('/')[0]}/*")
        patterns = (*wildcards, media_type)
        matching = [(patterns.index(name), quality) for name, quality in ranges if name in patterns]
        if not matching:
            continue
        specificity, quality = max(matching)
        rank = (quality, 1 if patterns[specificity] == media_type else 0)
        if quality > 0 and (rank > best_rank or (rank == best_rank and rank[1] == 0)):
            best, best_rank = media_type, rank
    return best


def _items(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for item in header.split(","):
        if item.strip():
            yield _parsed(item)


def _parsed(item: str) -> tuple[str, dict[str, str]]:
    name, *rest = item.lower().split(";")
    pairs = (parameter.partition("=") for parameter in rest)
    return name.strip(), {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def _quality(parameters: dict[str, str]) -> float:
    try:
        return min(max(float(parameters.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 0.0
