"""Columns: the column types that several slices share."""

from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Enum, Text
from sqlalchemy.dialects.postgresql import JSONB

INSTANT = DateTime(timezone=True)
SORTED = Text(collation="C")  # the same order on every server, whatever its locale
CODES = JSONB(none_as_null=True)  # codes, ids and instants only, never a person's data


def code(words: type[StrEnum], name: str) -> Any:
    """A word of the law as text with a named CHECK, so that adding a word is an ordinary migration."""
    return Enum(words, native_enum=False, create_constraint=True, length=40, name=name)


def table(model: type) -> Any:
    """Return a model's table: SQLModel has it at run time, but not for a type checker."""
    return model.__table__  # type: ignore[attr-defined]  # as said
