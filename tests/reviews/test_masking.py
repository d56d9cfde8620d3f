"""Masking: what a purpose repeats of a person is replaced, and words that merely look alike stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.reviews.masking import masked

IVAN = {
    "legal_name": "Ivan Petrov-Sidorov",
    "email": "ivan.p@example.com",
    "passport_number": "RU1234567",
    "passport_issuer": "RU",
    "date_of_birth": "1990-05-07",
}


@pytest.mark.parametrize(
    ("purpose", "kept"),
    [
        ("Compare IVAN petrov-sidorov with the page", "Compare … … with the page"),
        ("Petrov's visa", "…'s visa"),
        ("核对Ivan的护照", "核对…的护照"),
        ("Ivanova, Petrovsky", "Ivanova, Petrovsky"),
        ("write to IVAN.P@EXAMPLE.COM", "write to …"),
        *(
            (f"no. {number}!", "no. …!")
            for number in ("RU1234567", "ru 1234567", "R-U.1/2 3 4 5_6–7", "ＲＵ１２３４５６７")
        ),
        ("护照RU1234567号", "护照…号"),
        ("RU1234568", "RU1234568"),
        *(
            (f"born {day}?", "born …?")
            for day in ("1990-05-07", "1990.05.07", "1990/5/7", "19900507", "07.05.1990", "5/7/1990", "1990年5月7日")
        ),
        ("born 1990-05-17", "born 1990-05-17"),
        ("Check of the visa; second look, RU", "Check of the visa; second look, RU"),
    ],
)
def test_what_names_the_person_is_masked_and_nothing_else(purpose: str, kept: str) -> None:
    assert masked(purpose, IVAN) == kept


@pytest.mark.parametrize(
    ("name", "purpose", "kept"),
    [
        ("An", "Any doubt; Manual check; is it AN?", "Any doubt; Manual check; is it …?"),
        ("Li An", "An  Li", "…  …"),
        ("J Doe", "J. Doe, a job", "J. …, a job"),
        ("Straße", "STRASSE, strasse", "…, …"),
        ("王小明", "审核王小明护照", "审核…护照"),
        ("王 小明", "审核王小明护照，小明", "审核…护照，…"),
        ("王", "国王", "国王"),
        ("สมชาย ใจดี", "ตรวจสมชายใจดี", "ตรวจ…"),
        ("김철수", "김철수는", "…는"),
        ("a.*b", "a.*b or axxb", "… or axxb"),
    ],
)
def test_a_name_is_masked_word_by_word_and_within_words_where_a_script_has_no_spaces(
    name: str, purpose: str, kept: str
) -> None:
    assert masked(purpose, {"legal_name": name}) == kept


def test_a_number_of_few_characters_does_not_blot_out_the_purpose() -> None:
    assert masked("Check A1 and DATA1", {"passport_number": "A1"}) == "Check … and DATA1"


@given(st.text(max_size=60), st.text(max_size=40), st.text(alphabet="AB1-", max_size=20))
def test_whatever_was_handed_in_it_takes_any_purpose_and_makes_none_longer(
    purpose: str, name: str, number: str
) -> None:
    said = {"legal_name": name, "passport_number": number, "date_of_birth": "2000-12-31"}
    assert len(masked(purpose, said)) <= len(purpose)
