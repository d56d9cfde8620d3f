"""Confirmation: which edits of a room confirm a cast member, and which undo it (A9, A10)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

YES, NO, ANY = True, False, None


class Effect(StrEnum):
    """What an edit does to one member's confirmation."""

    CONFIRMS = "CONFIRMS"
    UNDOES = "UNDOES"
    KEEPS = "KEEPS"


CONFIRMS, UNDOES, KEEPS = Effect


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of edit; ANY holds for both."""

    why: str
    is_new: bool | None
    place_changed: bool | None
    start_changed: bool | None
    cast_is_stated: bool | None
    effect: Effect


# The first row that fits decides. Title and other members' changes are no columns: they undo nothing.
# fmt: off
EDITS: Final = (
    #   why                                          new   place start stated effect
    Row("picking with a place is the confirmation",  YES,  ANY,  ANY,  ANY,  CONFIRMS),
    Row("a new place confirms that member anew",     NO,   YES,  ANY,  ANY,  CONFIRMS),
    Row("a new start, and the cast stated with it",  NO,   NO,   YES,  YES,  CONFIRMS),
    Row("a new start undoes all",                    NO,   NO,   YES,  NO,   UNDOES),
    Row("an unchanged cast confirms nobody undone",  NO,   NO,   NO,   ANY,  KEEPS),
)
# fmt: on


def confirmation_after(
    was: datetime | None,
    *,
    is_new: bool,
    place_changed: bool,
    start_changed: bool,
    cast_is_stated: bool,
    now: datetime,
) -> datetime | None:
    """Return since when a cast member is confirmed after an edit at `now` (UTC); None: is not. Source: A10."""
    edit = (is_new, place_changed, start_changed, cast_is_stated)
    effect = next(row.effect for row in EDITS if fits(row, edit))
    match effect:
        case Effect.CONFIRMS:
            return now
        case Effect.UNDOES:
            return None
        case Effect.KEEPS:
            return was
        case _:
            assert_never(effect)


def fits(row: Row, edit: tuple[bool, bool, bool, bool]) -> bool:
    """Say whether the row speaks of this edit."""
    asked = (row.is_new, row.place_changed, row.start_changed, row.cast_is_stated)
    return all(a is ANY or a == e for a, e in zip(asked, edit, strict=True))
