"""The page docs/law.md: the whole law as the code has it (`make law`)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from greenroom.explain import case_words, grounds, item_line
from greenroom.law.admission import BASES, IN_ANY_PHASE
from greenroom.law.announcement import LINES
from greenroom.law.lifecycle import TRANSITIONS
from greenroom.law.paths import Cell, cells
from greenroom.law.policies import ALIEXPRESS_2021, PACKS, ForeignSeller, knobs
from greenroom.law.reasons import BLOCKERS, PATHS, REASONS
from greenroom.law.requirements import items
from greenroom.law.terms import (
    AdmissionBlockerCode,
    LiveRoomStatus,
    ReviewTaskState,
    TaobaoSessionStatus,
    VerificationPath,
    VerificationStatus,
)


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

Generated from `src/greenroom/law/` by `docs/law.py` (`make law`); a test holds the two together.
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


if __name__ == "__main__":
    print(law_markdown(), end="")
