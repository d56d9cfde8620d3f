"""Days in Shanghai, months, and an age."""

from datetime import UTC, date, datetime

import pytest

from greenroom.law.days import day_of, end_of, is_under_age, months_after

from .cases import NOW


def test_a_day_is_a_day_in_shanghai() -> None:
    assert day_of(datetime(2026, 3, 1, 15, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert day_of(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)


def test_a_document_ends_with_its_last_day_in_shanghai() -> None:
    assert end_of(date(2026, 3, 1)) == datetime(2026, 3, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [((2026, 3, 2), (2026, 9, 2)), ((2025, 8, 31), (2026, 2, 28)), ((2026, 7, 15), (2027, 1, 15))],
)
def test_six_months_later_is_the_same_day_or_the_last_of_the_month(
    start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    noon = datetime(*start, 4, tzinfo=UTC)
    assert months_after(noon, months=6) == datetime(*end, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("born_on", "is_too_young"),
    [(date(2010, 3, 2), False), (date(2010, 3, 3), True), (date(1990, 1, 1), False)],
)
def test_sixteen_is_reached_on_the_birthday(born_on: date, is_too_young: bool) -> None:
    # X9
    assert is_under_age(born_on, minimum_age=16, airs_at=NOW) is is_too_young


def test_who_is_born_on_a_leap_day_is_older_in_march() -> None:
    born_on = date(2012, 2, 29)
    assert is_under_age(born_on, minimum_age=14, airs_at=datetime(2026, 2, 28, 4, tzinfo=UTC))
    assert not is_under_age(born_on, minimum_age=14, airs_at=datetime(2026, 3, 1, 4, tzinfo=UTC))
