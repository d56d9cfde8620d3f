"""The announcement stands in the code as it was published."""

from pathlib import Path

from greenroom.law.announcement import LINES, line


def test_every_line_is_the_published_one_to_the_letter() -> None:
    published = (Path(__file__).parent / "source.txt").read_text().split("\n")
    assert [each.text for each in LINES] == published
    assert [each.number for each in LINES] == [f"L{number}" for number in range(1, 35)]


def test_the_first_fifteen_lines_are_chinese_and_the_rest_english() -> None:
    assert [each.language for each in LINES] == ["zh"] * 15 + ["en"] * 19


def test_a_line_is_found_by_its_number() -> None:
    assert line("L22").text == "Official Launch: Waiting Notification"
