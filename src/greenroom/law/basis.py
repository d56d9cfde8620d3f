"""Basis: which rule a decision rests on, and which lines of the announcement say so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleBasis:
    """What a decision rests on."""

    rule: str
    """Such as R9."""
    lines: tuple[str, ...]
    """Lines of the announcement, such as L3; `announcement.line` has their text. None where no line says it (X…)."""
    overrides: tuple[str, ...] = ()
    """Lines that read alone would say otherwise; see the reading."""
    reading: str | None = None
    """Our reading where the text is open, such as A3."""
    cell: int | None = None
    """Row of the decision table, 1 to 16."""
