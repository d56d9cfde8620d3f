"""Explain: what the law asks and why, for people at a terminal, for programs, and as the page docs/law.md."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from greenroom.law.admission import BASES, IN_ANY_PHASE
from greenroom.law.announcement import LINES, line
from greenroom.law.basis import RuleBasis
from greenroom.law.lifecycle import TRANSITIONS
from greenroom.law.paths import Case, Cell, cell_for, cells
from greenroom.law.policies import ALIEXPRESS_2021, PACKS, ForeignSeller, Policy, knobs
from greenroom.law.reasons import BLOCKERS, PATHS, REASONS, REQUIREMENTS, Words
from greenroom.law.requirements import Item, items
from greenroom.law.terms import (
    AccountKind,
    AdmissionBlockerCode,
    BroadcastLocation,
    Language,
    LiveRoomStatus,
    ReviewTaskState,
    TaobaoSessionStatus,
    VerificationPath,
    VerificationStatus,
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
    table = Table("#", *(HEADINGS[name].said_in(language) for name in COLUMNS), title=policy.name, title_justify="left")
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
    return f"{basis.rule} · {', '.join(basis.lines)}{overridden}{reading}"


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


def law_markdown() -> str:
    """Return the page docs/law.md: the whole law as the code has it."""
    sections = (
        INTRODUCTION,
        *decision_chapter(),
        *items_chapter(),
        *gate_chapter(),
        *reasons_chapter(),
        *knobs_chapter(),
        *lifecycle_chapter(),
        *announcement_chapter(),
    )
    return "\n".join(sections) + "\n"


INTRODUCTION = """# The law

Generated from `src/greenroom/law/` by `greenroom.explain.law_markdown`; a test holds the two together.
Lines (L…) are the announcement's, at the end of this page; rules (R…, X…) and readings (A…) are those that the code
names beside each row.
"""


def grid_of(*header: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines: list[Sequence[str]] = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines) + "\n"


def decision_chapter() -> Iterator[str]:
    """Yield the decision table, and where a pack or the knob of A3 differs, the cells that do."""
    default = cells(ALIEXPRESS_2021)
    yield "## Who proves what\n"
    yield cells_grid(default)
    literal = replace(
        ALIEXPRESS_2021, name="`foreign_seller = ENGLISH_LITERAL`", foreign_seller=ForeignSeller.ENGLISH_LITERAL
    )
    for policy in (*PACKS.values(), literal):
        if different := [cell for cell, usual in zip(cells(policy), default, strict=True) if cell != usual]:
            yield f"With {policy.name}:\n"
            yield cells_grid(different)


def cells_grid(rows: Iterable[Cell]) -> str:
    """Return cells as a Markdown table."""
    return grid_of(
        "cell",
        "account",
        "anchor",
        "place",
        "path",
        "case",
        "basis",
        rows=(
            (str(cell.number), *case_words(cell, "en"), f"`{cell.path}`", cell.heading, grounds(cell.basis))
            for cell in rows
        ),
    )


def items_chapter() -> Iterator[str]:
    """Yield what each path asks for."""
    yield "## What each path asks for\n"
    for policy in PACKS.values():
        yield f"{policy.name}:\n"
        yield grid_of(
            "path",
            "items, in the order to show",
            rows=(
                (f"`{path}`<br>{PATHS[path].en}", "<br>".join(item_line(i, "en") for i in items(path, policy=policy)))
                for path in VerificationPath
            ),
        )


def gate_chapter() -> Iterator[str]:
    """Yield every blocker with its words, its grounds and its force before the launch."""
    yield "## The gate\n"
    yield "The checks are independent; all that block are told, per appearance, in this order.\n"
    yield grid_of(
        "code",
        "中文",
        "English",
        "basis",
        "before launch",
        rows=(
            (f"`{code}`", words.zh, words.en, blocker_grounds(code), "refuses" if code in IN_ANY_PHASE else "recorded")
            for code, words in BLOCKERS.items()
        ),
    )


def blocker_grounds(code: AdmissionBlockerCode) -> str:
    """Return what a blocker rests on; a changed path rests on the cell that applies."""
    return grounds(BASES[code]) if code in BASES else "the cell's own"


def reasons_chapter() -> Iterator[str]:
    """Yield every reason of a rejection."""
    yield "## Reasons of a rejection\n"
    yield "An older approval keeps counting behind a rejection whose reasons all concern only itself.\n"
    yield grid_of(
        "code",
        "中文",
        "English",
        "basis",
        "final",
        "concerns only itself",
        rows=(
            (
                f"`{code}`",
                reason.words.zh,
                reason.words.en,
                grounds(reason.basis),
                yes(reason.is_final),
                yes(reason.concerns_only_itself),
            )
            for code, reason in REASONS.items()
        ),
    )


def yes(is_so: bool) -> str:
    """Return a mark or nothing."""
    return "yes" if is_so else ""


def knobs_chapter() -> Iterator[str]:
    """Yield every reading of an open question, pack beside pack."""
    yield "## The packs\n"
    columns = [knobs(policy) for policy in PACKS.values()]
    yield grid_of(
        "reading",
        "knob",
        *PACKS,
        rows=((row[0].reading, row[0].name, *(knob.value for knob in row)) for row in zip(*columns, strict=True)),
    )


def lifecycle_chapter() -> Iterator[str]:
    """Yield the transition tables."""
    yield "## What may follow what\n"
    for machine, table in TRANSITIONS.items():
        yield grid_of(
            MACHINES[machine],
            "may become",
            rows=(
                (f"`{before}`", ", ".join(f"`{after}`" for after in table if after in table[before]) or "–")
                for before in table
            ),
        )
    yield "A provider's late pass also approves a rejected verification, unless final or consent is withdrawn.\n"


MACHINES: dict[type, str] = {
    VerificationStatus: "verification",
    TaobaoSessionStatus: "Taobao session",
    LiveRoomStatus: "room",
    ReviewTaskState: "review task",
}


def announcement_chapter() -> Iterator[str]:
    """Yield the announcement."""
    yield "## The announcement\n"
    yield grid_of("line", "text", rows=((quote.number, quote.text) for quote in LINES)).rstrip("\n")
