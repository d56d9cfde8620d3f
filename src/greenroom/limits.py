"""Limits: how much one request may ask for, and what it is told when it asks for more."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)
from graphql.language import Lexer, Source, TokenKind

from greenroom.errors import Words

INTROSPECTION_DEPTH_EXTRA = 10  # levels more below `__schema` and `__type`: the standard query has nine `ofType`
NESTED_MAX = 100  # braces in braces that are parsed at all: beyond some 200 the parser runs out of Python's stack


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one request, and of one caller's subscriptions. The greatest value of each is still allowed.

    `depth` levels of fields; `aliases` written in the document; `repeats` fields of one response name in the document
    (validation compares them pairwise); `fragments` in it, inline ones too (each may lead to the next), and `spreads`
    of them; `root_fields` of an operation; `tokens` of the document, comments apart; its `characters`, all of them;
    JSON `values` in the variables, and their `values_depth`; `cost` in points (see `cost.py`); `page_size` nodes,
    refused by the connections themselves; `body_bytes` of a POST or of a GET's query string; `time_s` from the
    request's head to its answer; `operations` that one connection carries; `subscriptions` and `connections` for them
    that one caller has in a process.
    """

    depth: int = 15
    aliases: int = 50
    repeats: int = 100
    fragments: int = 50
    spreads: int = 200
    root_fields: int = 20
    tokens: int = 2_000
    characters: int = 50_000
    values: int = 2_000
    values_depth: int = 20
    cost: int = 10_000
    page_size: int = 100
    body_bytes: int = 1_048_576
    time_s: float = 15.0
    operations: int = 100
    subscriptions: int = 100
    connections: int = 100


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that a request goes beyond: how much was asked, how much is allowed.

    For `tokens`, `values` and `body_bytes` counting stops once the limit is passed, so `asked` is then the least that
    it can be.
    """

    limit: str
    asked: int
    allowed: int

    def said(self, language: str) -> str:
        """Return the sentence for people, in `zh` or `en`."""
        words = WORDS[self.limit]
        return (words.zh if language == "zh" else words.en).format(asked=self.asked, allowed=self.allowed)

    @property
    def extensions(self) -> dict[str, Any]:
        """For programs."""
        return {"code": "LIMIT_EXCEEDED", "limit": self.limit, "asked": self.asked, "allowed": self.allowed}


WORDS: Mapping[str, Words] = {
    "depth": Words(
        "This operation is {asked} levels deep; {allowed} are allowed. Fetch the deeper objects by their ids.",
        "该操作嵌套 {asked} 层，最多允许 {allowed} 层。请按 id 另行查询更深的对象。",
    ),
    "aliases": Words(
        "This document has {asked} aliases; {allowed} are allowed. Send several requests.",
        "该文档使用了 {asked} 个别名，最多允许 {allowed} 个。请分多次请求。",
    ),
    "repeats": Words(
        "This document asks for one name {asked} times; {allowed} are allowed. Move what repeats into fragments.",
        "该文档重复使用同一字段名 {asked} 次，最多允许 {allowed} 次。请将重复部分写成片段。",
    ),
    "fragments": Words(
        "This document has {asked} fragments, inline ones too; {allowed} are allowed. Send several requests.",
        "该文档含有 {asked} 个片段（包括内联片段），最多允许 {allowed} 个。请分多次请求。",
    ),
    "spreads": Words(
        "This document spreads fragments {asked} times; {allowed} are allowed. Send several requests.",
        "该文档展开片段 {asked} 次，最多允许 {allowed} 次。请分多次请求。",
    ),
    "root_fields": Words(
        "This operation has {asked} fields at its root; {allowed} are allowed. Send several requests.",
        "该操作的根字段有 {asked} 个，最多允许 {allowed} 个。请分多次请求。",
    ),
    "tokens": Words(
        "This document has {asked} tokens or more; {allowed} are allowed. Use variables for values, and fragments.",
        "该文档至少有 {asked} 个词元，最多允许 {allowed} 个。请使用变量传值，并使用片段。",
    ),
    "characters": Words(
        "This document has {asked} characters; {allowed} are allowed. Use variables for values.",
        "该文档有 {asked} 个字符，最多允许 {allowed} 个。请使用变量传值。",
    ),
    "values": Words(
        "These variables hold {asked} values or more; {allowed} are allowed. Send several requests.",
        "变量中至少有 {asked} 个值，最多允许 {allowed} 个。请分多次请求。",
    ),
    "values_depth": Words(
        "These variables are {asked} levels deep or more; {allowed} are allowed. Send them as the schema has them.",
        "变量至少嵌套 {asked} 层，最多允许 {allowed} 层。请按 schema 的结构发送。",
    ),
    "cost": Words(
        "This operation costs {asked} points; {allowed} are allowed. Ask for smaller pages.",
        "该操作消耗 {asked} 点，最多允许 {allowed} 点。请减小每页数量。",
    ),
    "subscriptions": Words(
        "You would have {asked} subscriptions open; {allowed} are allowed. Complete others first.",
        "您将同时打开 {asked} 个订阅，最多允许 {allowed} 个。请先结束其他订阅。",
    ),
    "operations": Words(
        "This connection would carry {asked} subscriptions; {allowed} are allowed. Complete others first.",
        "该连接将承载 {asked} 个订阅，最多允许 {allowed} 个。请先结束其他订阅。",
    ),
    "connections": Words(
        "You would have {asked} connections for subscriptions; {allowed} are allowed. Close others first.",
        "您将同时保持 {asked} 个订阅连接，最多允许 {allowed} 个。请先关闭其他连接。",
    ),
    "body_bytes": Words(
        "This request has {asked} bytes or more; {allowed} are allowed. Send less at once.",
        "该请求至少有 {asked} 字节，最多允许 {allowed} 字节。请减少单次内容。",
    ),
}


def count_tokens(source: str, limits: Limits) -> Exceeded | None:
    """Refuse a document with too many tokens, or nested too deeply to be parsed, before it is parsed.

    Reads no further than the first token too many, but to its end where the nesting is what to tell. Only for
    documents within the limit of characters: a token can be long. Raises GraphQLSyntaxError.
    """
    lexer = Lexer(Source(source))
    tokens = nested = deepest = arguments = 0
    while (kind := lexer.advance().kind) is not TokenKind.EOF:
        tokens += 1
        if kind in (TokenKind.PAREN_L, TokenKind.PAREN_R):  # between these a brace is a value's
            arguments += 1 if kind is TokenKind.PAREN_L else -1
        elif kind in (TokenKind.BRACE_L, TokenKind.BRACE_R) and not arguments:
            nested += 1 if kind is TokenKind.BRACE_L else -1
            deepest = max(deepest, nested)
        if tokens > limits.tokens and deepest <= NESTED_MAX:
            return Exceeded("tokens", tokens, limits.tokens)
    return Exceeded("depth", deepest, limits.depth) if deepest > NESTED_MAX else None


def count_values(variables: Mapping[str, Any], limits: Limits) -> Exceeded | None:
    """Refuse variables that would be long to coerce, counting no further than the first value too many."""
    count, depth = 0, 1
    level: list[Any] = [variables]
    while level := [value for each in level for value in (each.values() if isinstance(each, dict) else each)]:
        count += len(level)
        if count > limits.values:
            return Exceeded("values", count, limits.values)
        if depth > limits.values_depth:
            return Exceeded("values_depth", depth, limits.values_depth)
        level = [value for value in level if isinstance(value, dict | list)]
        depth += 1
    return None


def measure(document: DocumentNode, limits: Limits) -> Exceeded | None:
    """Return the first limit that a parsed document goes beyond; linear in its length, whatever its fragments do."""
    shape = _Shape(document)
    if shape.fragments_written > limits.fragments:  # first, as the others walk through them
        return Exceeded("fragments", shape.fragments_written, limits.fragments)
    asked = {
        "depth": max(map(shape.depth_of, shape.operations), default=0),
        "aliases": shape.aliases,
        "spreads": shape.spreads,
        "repeats": max(shape.names.values(), default=0),
        "root_fields": max(map(shape.roots_of, shape.operations), default=0),
    }
    for limit, count in asked.items():
        if count > (allowed := getattr(limits, limit)):
            return Exceeded(limit, count, allowed)
    return None


class _Shape:
    """What can be known of a document without its schema. A fragment is walked once; a cycle counts as empty here."""

    def __init__(self, document: DocumentNode) -> None:
        definitions = document.definitions
        self.fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
        self.operations = [d.selection_set for d in definitions if isinstance(d, OperationDefinitionNode)]
        self.names: Counter[str] = Counter()
        self.aliases = self.spreads = 0
        self.fragments_written = len(self.fragments)
        self._depths: dict[str, int] = {}
        self._roots: dict[str, int] = {}
        for selections in (*self.operations, *(f.selection_set for f in self.fragments.values())):
            for selection in _written(selections):
                self.fragments_written += isinstance(selection, InlineFragmentNode)
                self.spreads += isinstance(selection, FragmentSpreadNode)
                if isinstance(selection, FieldNode):
                    self.names[(selection.alias or selection.name).value] += 1
                    self.aliases += selection.alias is not None

    def depth_of(self, selections: SelectionSetNode | None) -> int:
        """Levels of fields, through fragments; introspection has some levels free."""
        deepest = 0
        for selection in selections.selections if selections else ():
            match selection:
                case FieldNode():
                    below = 1 + self.depth_of(selection.selection_set)
                    free = INTROSPECTION_DEPTH_EXTRA if selection.name.value in ("__schema", "__type") else 0
                    depth = max(below - free, 1)
                case InlineFragmentNode():
                    depth = self.depth_of(selection.selection_set)
                case FragmentSpreadNode():
                    depth = self._once(self._depths, selection.name.value)
                case _:
                    depth = 0
            deepest = max(deepest, depth)
        return deepest

    def roots_of(self, selections: SelectionSetNode) -> int:
        """Fields at the root, through fragments."""
        total = 0
        for selection in selections.selections:
            match selection:
                case FieldNode():
                    total += 1
                case InlineFragmentNode():
                    total += self.roots_of(selection.selection_set)
                case FragmentSpreadNode():
                    total += self._once(self._roots, selection.name.value)
        return total

    def _once(self, known: dict[str, int], name: str) -> int:
        if name not in known:
            known[name] = 0  # until it is known: a fragment inside itself, which validation refuses afterwards
            if fragment := self.fragments.get(name):
                known[name] = (self.depth_of if known is self._depths else self.roots_of)(fragment.selection_set)
        return known[name]


def _written(selections: SelectionSetNode) -> Iterator[SelectionNode]:
    """Every selection of a definition, without recursion."""
    waiting = [selections]
    while waiting:
        for selection in waiting.pop().selections:
            yield selection
            if isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                waiting.append(selection.selection_set)
