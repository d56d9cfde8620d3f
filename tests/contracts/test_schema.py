"""The schema is a promise: what is committed is what runs, all of it described, and nothing breaks unannounced."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
    is_introspection_type,
    is_specified_scalar_type,
)

from contracts.calls import SCHEMA
from greenroom.schema import build

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "schema.graphql"


def test_the_committed_schema_is_what_runs() -> None:
    assert COMMITTED.read_text() == build().as_str() + "\n", "if this is meant: make schema"


def described() -> Iterator[tuple[str, str | None]]:
    """Everything that a client can read about, with what is said of it."""
    for name, type_ in SCHEMA.type_map.items():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{value}", found.description) for value, found in type_.values.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            yield from ((f"{name}.{field}", found.description) for field, found in type_.fields.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field, found in type_.fields.items():
                yield from ((f"{name}.{field}({a})", argument.description) for a, argument in found.args.items())


def test_every_type_field_argument_and_value_is_described() -> None:
    assert [name for name, text in described() if not (text or "").strip()] == []


def test_descriptions_are_sentences() -> None:
    """A description that lost its end or its line breaks would be read by every client."""
    assert [(name, text) for name, text in described() if text and (text[-1] not in ".!?" or "\n" in text)] == []


def git(*arguments: str) -> str:
    """What git says; the test is skipped where there is no repository."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def last_committed() -> str | None:
    """The newest committed schema that is not the one in the tree; None where there is no other."""
    for commit in git("log", "-5", "--format=%H", "--", COMMITTED.name).split():
        found = git("show", f"{commit}:{COMMITTED.name}")
        if found != COMMITTED.read_text():
            return found
    return None


def test_what_breaks_clients_is_named_in_the_changelog() -> None:
    before = last_committed()
    changelog = (ROOT / "CHANGELOG.md").read_text().replace("`", "")
    breaking = find_breaking_changes(build_schema(before), SCHEMA) if before else []
    unnamed = [change.description for change in breaking if change.description.rstrip(".") not in changelog]
    assert unnamed == [], "add each to CHANGELOG.md, marked BREAKING, in these words"
