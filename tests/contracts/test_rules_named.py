"""Every rule is named by a test that would fail without it, and in tests/law where the law alone can state it.

A test names a rule in its name, its parameters' ids, a comment or docstring of its own, a table of cases that it uses,
or the sentence above its module. `tests/law/rules.txt` lists the rules, one a line.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TESTS = PROJECT / "tests"
RULES = [line.split(" ", 1)[0] for line in (TESTS / "law" / "rules.txt").read_text().splitlines()]
ID = re.compile(r"\b([RA])(\d{1,2})(?:-[RA]?(\d{1,2}))?\b")  # such as R9, or R8-R15 for all of them

# What no test in tests/law can say, as it needs what is stored or shown; another test names it.
BEYOND_LAW = {
    "R17": "the entry point is stored with the attempt, and the law never asks for it",
    "R18": "a field of the room form",
    "R23": "what one account sees of another's",
    "R25": "what is stored under an account",
    "R26": "what the picker offers",
    "R28": "what the home page prompts for",
    "R40": "what an anchor's row is made from",
    "A11": "what the console opens for",
}
# What nothing here can say yet.
NOT_BUILT = {"R19": "hand-off links come with TAOBAO_APP"}


def ids_in(text: str) -> set[str]:
    """The rules that a text names."""
    found = set[str]()
    for kind, first, last in ID.findall(text):
        found |= {f"{kind}{number}" for number in range(int(first), int(last or first) + 1)}
    return found


def named_in(source: str) -> Iterator[str]:
    """What the tests of one module say of themselves: the module's sentence, and each test with the tables it uses."""
    tree, lines = ast.parse(source), source.splitlines()

    def text(node: ast.stmt) -> str:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(each.lineno for each in decorators)])
        return "\n".join(lines[first - 1 : node.end_lineno])

    tables: dict[str, ast.stmt] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        tables |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    tests = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    if tests:
        yield ast.get_docstring(tree) or ""
    for test in tests:
        yield text(test)
        used = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        yield from (text(table) for name, table in tables.items() if name in used)


@cache
def named(place: Path) -> set[str]:
    """The rules that tests below a folder name; this module's own tables name none."""
    files = [file for file in place.rglob("test_*.py") if file != Path(__file__)]
    assert files
    return {rule for file in files for said in named_in(file.read_text()) for rule in ids_in(said)}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NOT_BUILT])
def test_a_rule_is_named_by_a_test(rule: str) -> None:
    assert rule in named(TESTS)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NOT_BUILT | BEYOND_LAW])
def test_what_the_law_alone_can_state_is_named_in_the_tests_of_the_law(rule: str) -> None:
    assert rule in named(TESTS / "law")


def test_no_exception_outlives_its_reason() -> None:
    assert set(BEYOND_LAW).isdisjoint(NOT_BUILT)
    assert BEYOND_LAW.keys() & named(TESTS / "law") == set(), "stated by the law after all: take it from BEYOND_LAW"
    assert NOT_BUILT.keys() & named(TESTS) == set(), "tested by now: take it from NOT_BUILT"
    assert (BEYOND_LAW | NOT_BUILT).keys() - set(RULES) == set(), "no such rule"


def test_no_test_and_no_line_of_code_names_a_rule_that_does_not_exist() -> None:
    files = [*(PROJECT / "src").rglob("*.py"), *(PROJECT / "docs").rglob("*.md")]
    cited = {rule for file in files for rule in ids_in(file.read_text())}
    assert (cited | named(TESTS)) - set(RULES) == set()


def test_the_list_has_each_rule_once_and_in_order() -> None:
    assert sorted(RULES, key=lambda rule: (rule[0] != "R", int(rule[1:]))) == RULES
    assert len(set(RULES)) == len(RULES) == 40 + 22


def test_a_range_names_all_within_and_a_number_within_a_word_none() -> None:
    assert ids_in("the decision table (R8-R10), A3, and XR1, R1x, R9_") == {"R8", "R9", "R10", "A3"}
