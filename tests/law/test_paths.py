"""The decision table, cell by cell, against the data file that restates the announcement (R8-R15)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.law.announcement import line
from greenroom.law.paths import CASES, Case, cell_for, cells
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026, PACKS, ForeignSeller
from greenroom.law.terms import CHINESE_REGIONS, AccountKind, BroadcastLocation, is_chinese

from .cases import BLOGGER, CONTACT, IN_CHINA, OUTSIDE_CHINA, PASSPORT_VISA, SELLER, TAOBAO_APP

TABLE = json.loads((Path(__file__).parent / "decision_table.json").read_text())
LITERAL = replace(ALIEXPRESS_2021, foreign_seller=ForeignSeller.ENGLISH_LITERAL)


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"cell {row['cell']}: {row['rule']} {row['lines'][0]}")
def test_every_cell_says_what_its_lines_say(row: dict[str, Any], pack: Any) -> None:
    cell = cells(pack)[row["cell"] - 1]
    place = IN_CHINA if row["anchor_in_mainland"] else OUTSIDE_CHINA
    kind = AccountKind(row["account_kind"])
    assert cell.case == Case(kind, row["account_chinese"], row["anchor_chinese"], place)
    assert (cell.number, cell.path, cell.heading) == (row["cell"], row["path"], row["case"])
    assert (cell.basis.rule, cell.basis.cell) == (row["rule"], row["cell"])
    assert cell.basis.lines == tuple(row["lines"])
    assert cell.basis.overrides == tuple(row["overrides"])
    assert cell.basis.reading == row.get("reading")


def test_the_table_has_sixteen_cells_each_found_by_its_case() -> None:
    assert len(cells(ALIEXPRESS_2021)) == len(set(CASES)) == 16
    assert all(cell_for(cell.case, policy=ALIEXPRESS_2021) is cell for cell in cells(ALIEXPRESS_2021))


@given(st.sampled_from(CASES), st.sampled_from(CASES))
def test_by_default_the_path_is_a_function_of_nationality_and_place_alone(one: Case, other: Case) -> None:
    # R15, L18
    if (one.anchor_is_chinese, one.location) == (other.anchor_is_chinese, other.location):
        assert cell_for(one, policy=CN_2026).path is cell_for(other, policy=ALIEXPRESS_2021).path


@pytest.mark.parametrize("location", BroadcastLocation)
def test_a_chinese_anchor_authenticates_in_the_app_wherever_they_stand(location: BroadcastLocation) -> None:
    # A7, A8: the place is where the anchor stands in this broadcast
    case = Case(BLOGGER, False, True, location)
    assert cell_for(case, policy=ALIEXPRESS_2021).path is TAOBAO_APP


def test_one_account_holds_two_anchors_with_different_paths() -> None:
    # R2: L3, L10, L15
    paths = {cell_for(Case(SELLER, True, is_foreign, IN_CHINA), policy=ALIEXPRESS_2021).path for is_foreign in (0, 1)}
    assert paths == {TAOBAO_APP, PASSPORT_VISA}


@pytest.mark.parametrize("number", [5, 6, 7, 8], ids=lambda number: f"cell {number}: L27")
def test_the_english_text_to_the_letter_asks_contact_data_of_a_foreign_seller(number: int) -> None:
    # A3-A5, the knob turned
    assert cells(LITERAL)[number - 1].path is CONTACT


def test_the_english_text_to_the_letter_changes_three_cells_and_says_what_it_overrides() -> None:
    # A3-A5: nobody is misled about what L18 says
    pairs = zip(cells(ALIEXPRESS_2021), cells(LITERAL), strict=True)
    changed = {cell.number: cell.basis for usual, cell in pairs if cell != usual}
    assert set(changed) == {5, 6, 7}
    assert all("L18" in basis.overrides and basis.reading == "A3" for basis in changed.values())


@pytest.mark.parametrize("policy", [ALIEXPRESS_2021, LITERAL], ids=["BY_ANCHOR", "ENGLISH_LITERAL"])
def test_every_line_that_a_cell_cites_exists(policy: Any) -> None:
    for cell in cells(policy):
        assert [line(number) for number in cell.basis.lines + cell.basis.overrides]


@pytest.mark.parametrize("nationality", ["CN", "HK", "MO", "TW"])
def test_nationals_of_hong_kong_macao_and_taiwan_are_chinese_for_the_path(nationality: str) -> None:
    assert is_chinese(nationality)  # A25


@pytest.mark.parametrize("nationality", ["US", "SG", "GBD", "XXA", "cn", ""])
def test_nobody_else_is_chinese_for_the_path(nationality: str) -> None:
    assert not is_chinese(nationality)


def test_the_regions_are_a_knob() -> None:
    assert ALIEXPRESS_2021.regions == CHINESE_REGIONS  # A25
    assert not is_chinese("HK", regions=frozenset({"CN"}))
