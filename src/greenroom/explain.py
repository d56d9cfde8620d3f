"""Explain: what the law asks and why, for people at a terminal and for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from greenroom.law.announcement import line
from greenroom.law.basis import RuleBasis
from greenroom.law.paths import Case, Cell, cell_for, cells
from greenroom.law.policies import ALIEXPRESS_2021, Policy
from greenroom.law.reasons import PATHS, REQUIREMENTS, Words
from greenroom.law.requirements import Item, items
from greenroom.law.terms import (
    AccountKind,
    BroadcastLocation,
    Language,
    is_chinese,
)

KINDS = {AccountKind.SELLER: Words("商家", "seller"), AccountKind.BLOGGER: Words("达人", "blogger")}
PLACES = {
    BroadcastLocation.IN_CHINA: Words("中国大陆", "mainland China"),
    BroadcastLocation.OUTSIDE_CHINA: Words("中国大陆以外", "elsewhere"),
}
NATIONALITIES = {True: Words("中国籍", "Chinese"), False: Words("非中国籍", "not Chinese")}
HEADINGS = {
    "account": Words("账号", "account"),
    "anchor": Words("主播", "anchor"),
    "place": Words("所在地", "place"),
    "path": Words("认证方式", "path"),
    "items": Words("需提供", "to provide"),
    "basis": Words("依据", "because"),
    "overrides": Words("单独阅读时另有说法", "read alone would say otherwise"),
    "or": Words("或", "or"),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """One explanation: `data` for programs (JSON values), `view` for a terminal."""

    data: dict[str, Any]
    view: RenderableType


def explain_case(
    account_kind: AccountKind,
    *,
    account_nationality: str,
    anchor_nationality: str,
    location: BroadcastLocation,
    policy: Policy = ALIEXPRESS_2021,
    language: Language = "en",
) -> Explained:
    """Explain what one anchor must provide: the path, its items, and the lines that say so.

    Nationalities are ISO 3166-1 alpha-2 codes, in upper case; that they exist is for the caller to check.
    """
    account, anchor = (is_chinese(code, regions=policy.regions) for code in (account_nationality, anchor_nationality))
    cell = cell_for(Case(account_kind, account, anchor, location), policy=policy)
    asked = items(cell.path, policy=policy)
    data = cell_data(cell, policy=policy, language=language) | {"items": [item_data(i, language) for i in asked]}
    return Explained(data, case_view(cell, asked, policy=policy, language=language))


def explain_table(policy: Policy = ALIEXPRESS_2021, *, language: Language = "en") -> Explained:
    """Explain all 16 cells of the decision table under one policy."""
    table = Table("#", title=policy.name, title_justify="left")
    for name in COLUMNS:
        table.add_column(HEADINGS[name].said_in(language), overflow="fold", no_wrap=name == "path")
    for cell in cells(policy):
        table.add_row(str(cell.number), *case_words(cell, language), cell.path, grounds(cell.basis))
    data = {
        "policy": policy.name,
        "cells": [cell_data(cell, policy=policy, language=language) for cell in cells(policy)],
    }
    return Explained(data, table)


COLUMNS = ("account", "anchor", "place", "path", "basis")


def case_words(cell: Cell, language: Language) -> tuple[str, str, str]:
    """Return account, anchor and place of a cell."""
    case = cell.case
    account = f"{NATIONALITIES[case.account_is_chinese].said_in(language)} {KINDS[case.account_kind].said_in(language)}"
    return account, NATIONALITIES[case.anchor_is_chinese].said_in(language), PLACES[case.location].said_in(language)


def grounds(basis: RuleBasis) -> str:
    """Return a basis in short, such as "R15 · L18 · A3 over L27"."""
    overridden = f" · {basis.reading} over {', '.join(basis.overrides)}" if basis.overrides else ""
    reading = f" · {basis.reading}" if basis.reading and not basis.overrides else ""
    lines = f" · {', '.join(basis.lines)}" if basis.lines else ""
    return f"{basis.rule}{lines}{overridden}{reading}"


def cell_data(cell: Cell, *, policy: Policy, language: Language) -> dict[str, Any]:
    """Return a cell for programs."""
    return {
        "policy": policy.name,
        "cell": cell.number,
        "case": cell.heading,
        "accountKind": cell.case.account_kind.value,
        "isChineseAccount": cell.case.account_is_chinese,
        "isChineseAnchor": cell.case.anchor_is_chinese,
        "location": cell.case.location.value,
        "path": cell.path.value,
        "label": PATHS[cell.path].said_in(language),
        "basis": {
            "rule": cell.basis.rule,
            "reading": cell.basis.reading,
            "lines": quoted(cell.basis.lines),
            "overrides": quoted(cell.basis.overrides),
        },
    }


def quoted(numbers: Iterable[str]) -> list[dict[str, str]]:
    """Return lines of the announcement for programs."""
    return [{"line": quote.number, "language": quote.language, "text": quote.text} for quote in map(line, numbers)]


def item_data(item: Item, language: Language) -> dict[str, Any]:
    """Return an item for programs."""
    return {
        "kind": item.kind.value,
        "label": REQUIREMENTS[item.kind].said_in(language),
        "accepts": [[kind.value for kind in alternative] for alternative in item.accepts],
    }


def case_view(cell: Cell, asked: Sequence[Item], *, policy: Policy, language: Language) -> RenderableType:
    """Return one case for a terminal. Texts are `Text`: brackets of the announcement are no markup."""
    account, anchor, place = case_words(cell, language)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")  # Chinese has no spaces to break at, and a cut quote is no quote

    def row(name: str, content: RenderableType) -> None:
        grid.add_row(HEADINGS[name].said_in(language), content)

    row("account", Text(account))
    row("anchor", Text(f"{anchor}, {place}"))
    row("path", Text.assemble((cell.path.value, "bold"), f"  {PATHS[cell.path].said_in(language)}"))
    row("items", Group(*(Text(item_line(item, language)) for item in asked)))
    row("basis", Group(Text(f"{policy.name}, cell {cell.number}: {grounds(cell.basis)}"), quotes(cell.basis.lines)))
    if cell.basis.overrides:
        row("overrides", quotes(cell.basis.overrides))
    return grid


def item_line(item: Item, language: Language) -> str:
    """Return an item in one line, with the documents that it accepts."""
    either = f" {HEADINGS['or'].said_in(language)} ".join(" + ".join(documents) for documents in item.accepts)
    return f"{REQUIREMENTS[item.kind].said_in(language)}{f' ({either})' if either else ''}"


def quotes(numbers: Iterable[str]) -> RenderableType:
    """Return lines of the announcement for a terminal, as they stand there."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for quote in map(line, numbers):
        grid.add_row(quote.number, Text(quote.text))
    return grid
