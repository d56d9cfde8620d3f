"""Paths: which proof of a real name the announcement asks of whom, with its lines beside each row."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from greenroom.law.basis import RuleBasis
from greenroom.law.policies import ForeignSeller, Policy
from greenroom.law.terms import AccountKind, BroadcastLocation, VerificationPath

SELLER, BLOGGER = AccountKind
IN_CHINA, OUTSIDE_CHINA = BroadcastLocation
TAOBAO_APP, PASSPORT_VISA, CONTACT = VerificationPath
CHINESE, FOREIGN, ANY = True, False, None


@dataclass(frozen=True, slots=True)
class Case:
    """What a path depends on: who broadcasts, who appears, and where they stand."""

    account_kind: AccountKind
    account_is_chinese: bool
    anchor_is_chinese: bool
    location: BroadcastLocation


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the decision table: a case, its number (1 to 16), and what the announcement asks there."""

    number: int
    case: Case
    path: VerificationPath
    basis: RuleBasis
    heading: str
    """The announcement's own heading, such as "seller 1.1"; "background" where no case speaks."""


def cell_for(case: Case, *, policy: Policy) -> Cell:
    """Return the cell that decides this case under this policy; its `path` is what the anchor must do (R8-R15)."""
    return CELLS[policy.foreign_seller][case]


def cells(policy: Policy) -> tuple[Cell, ...]:
    """Return all 16 cells, in order."""
    return tuple(CELLS[policy.foreign_seller].values())


@dataclass(frozen=True, slots=True)
class Row:
    """One sentence of the announcement; ANY holds for every value."""

    rule: str
    heading: str
    lines: tuple[str, ...]
    kind: AccountKind | None
    account_is_chinese: bool | None
    anchor_is_chinese: bool | None
    location: BroadcastLocation | None
    path: VerificationPath
    overrides: tuple[str, ...] = ()
    reading: str | None = None

    def covers(self, case: Case) -> bool:
        """Say whether the row speaks of this case."""
        asked = (self.kind, self.account_is_chinese, self.anchor_is_chinese, self.location)
        given = (case.account_kind, case.account_is_chinese, case.anchor_is_chinese, case.location)
        return all(a is ANY or a == g for a, g in zip(asked, given, strict=True))


# The first row that covers a case decides it. R15 is the background principle, for what no case names: there the
# English L27 (and L5, if it speaks of the account) read alone would ask for contact data; the anchor decides (A3).
# fmt: off
ANNOUNCEMENT: Final = (
    #   rule   heading       lines                   account  nationality anchor  place           path
    Row("R8",  "seller 1",   ("L2", "L24"),          SELLER,  CHINESE,  CHINESE,  ANY,            TAOBAO_APP),
    Row("R9",  "seller 1.1", ("L3", "L25"),          SELLER,  CHINESE,  FOREIGN,  IN_CHINA,       PASSPORT_VISA),
    Row("R10", "seller 1.2", ("L4", "L26", "L18"),   SELLER,  CHINESE,  FOREIGN,  OUTSIDE_CHINA,  CONTACT),
    Row("R11", "seller 2",   ("L5", "L27", "L18"),   SELLER,  FOREIGN,  FOREIGN,  OUTSIDE_CHINA,  CONTACT),
    Row("R12", "blogger 1",  ("L7", "L29", "L18"),   BLOGGER, ANY,      FOREIGN,  OUTSIDE_CHINA,  CONTACT),
    Row("R13", "blogger 2",  ("L8", "L30"),          BLOGGER, ANY,      FOREIGN,  IN_CHINA,       PASSPORT_VISA),
    Row("R14", "blogger 3",  ("L9", "L31"),          BLOGGER, ANY,      CHINESE,  ANY,            TAOBAO_APP),
    Row("R15", "background", ("L18",),               SELLER,  FOREIGN,  CHINESE,  IN_CHINA,       TAOBAO_APP,
        overrides=("L27",), reading="A3"),
    Row("R15", "background", ("L18",),               SELLER,  FOREIGN,  CHINESE,  OUTSIDE_CHINA,  TAOBAO_APP,
        overrides=("L5", "L27"), reading="A3"),
    Row("R15", "background", ("L18", "L3", "L8"),    SELLER,  FOREIGN,  FOREIGN,  IN_CHINA,       PASSPORT_VISA,
        overrides=("L27",), reading="A3"),
)

# The knob of A3-A5 turned: L27 binds to the letter, and the background principle is what it overrides.
ENGLISH_LITERAL: Final = (
    Row("R11", "seller 2",   ("L27",),               SELLER,  FOREIGN,  CHINESE,  ANY,            CONTACT,
        overrides=("L18",), reading="A3"),
    Row("R11", "seller 2",   ("L27",),               SELLER,  FOREIGN,  FOREIGN,  IN_CHINA,       CONTACT,
        overrides=("L18", "L3", "L8"), reading="A3"),
    *ANNOUNCEMENT,
)
# fmt: on

CASES: Final = tuple(
    Case(*case) for case in product(AccountKind, (CHINESE, FOREIGN), (CHINESE, FOREIGN), BroadcastLocation)
)


def decide(number: int, case: Case, rows: tuple[Row, ...]) -> Cell:
    """Return the cell of one case: what the first row says that covers it."""
    row = next(row for row in rows if row.covers(case))
    basis = RuleBasis(row.rule, row.lines, overrides=row.overrides, reading=row.reading, cell=number)
    return Cell(number, case, row.path, basis, row.heading)


# Decided once: the gate looks a case up, and never searches.
CELLS: Final[Mapping[ForeignSeller, Mapping[Case, Cell]]] = {
    knob: {case: decide(number, case, rows) for number, case in enumerate(CASES, 1)}
    for knob, rows in ((ForeignSeller.BY_ANCHOR, ANNOUNCEMENT), (ForeignSeller.ENGLISH_LITERAL, ENGLISH_LITERAL))
}
