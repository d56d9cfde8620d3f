"""What `greenroom explain` prints, and the page docs/law.md."""

import io
import json
from pathlib import Path

import pytest
from docs.law import law_markdown
from rich.console import Console, RenderableType

from greenroom.explain import explain_case, explain_table
from greenroom.law.announcement import LINES, line
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026
from greenroom.law.terms import AdmissionBlockerCode, FindingCode, Language

from .cases import IN_CHINA, OUTSIDE_CHINA, SELLER

PAGE = Path(__file__).parents[2] / "docs" / "law.md"


def printed(view: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_page_on_the_law_is_what_the_law_says() -> None:
    assert PAGE.read_text() == law_markdown(), "make law"


def test_the_page_names_every_line_and_every_code() -> None:
    page = law_markdown()
    assert all(each.text in page for each in LINES)
    assert all(f"`{code}`" in page for code in (*AdmissionBlockerCode, *FindingCode))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_case_is_explained_with_path_items_and_the_quoted_lines(language: Language) -> None:
    explained = explain_case(
        SELLER, account_nationality="CN", anchor_nationality="US", location=IN_CHINA, language=language
    )
    text = printed(explained.view).replace("\n", "").replace(" ", "")
    assert "PASSPORT_VISA" in text
    for number in ("L3", "L25"):  # whole, however narrow the terminal
        assert line(number).text.replace(" ", "").removeprefix("-") in text
    assert explained.data["path"] == "PASSPORT_VISA"
    assert [item["kind"] for item in explained.data["items"]][-1] == "RIGHT_TO_WORK"
    assert [quote["line"] for quote in explained.data["basis"]["lines"]] == ["L3", "L25"]
    assert json.loads(json.dumps(explained.data)) == explained.data


def test_a_line_that_read_alone_would_say_otherwise_is_shown_as_such() -> None:
    # A3
    explained = explain_case(SELLER, account_nationality="US", anchor_nationality="HK", location=OUTSIDE_CHINA)
    assert [quote["line"] for quote in explained.data["basis"]["overrides"]] == ["L5", "L27"]
    assert "read alone would say otherwise" in printed(explained.view)


def test_the_stricter_pack_asks_for_a_face_check() -> None:
    explained = explain_case(
        SELLER, account_nationality="CN", anchor_nationality="US", location=IN_CHINA, policy=CN_2026
    )
    assert explained.data["items"][-1]["kind"] == "FACE_CHECK"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_shows_all_sixteen_cells(language: Language) -> None:
    explained = explain_table(ALIEXPRESS_2021, language=language)
    assert [cell["cell"] for cell in explained.data["cells"]] == list(range(1, 17))
    text = printed(explained.view)
    assert all(f"│ {number} " in text for number in range(1, 17))
    assert json.loads(json.dumps(explained.data)) == explained.data
