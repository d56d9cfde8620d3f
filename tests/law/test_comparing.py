"""Zones against what was said, visas against passports, and ages (X2, X3, X9)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from greenroom.law.comparing import Given, carries_number, contradicted, disagreements, least_age
from greenroom.law.mrz import Field, Form, Sex

from .mrz_specimens import PASSPORT, VISA_A, seen, zone

SAID = Given("Anna Maria Eriksson", "SE", "SE", "L898902C3", date(1974, 8, 12), Sex.FEMALE, date(2012, 4, 15))


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({}, []),
        ({"name": "Ericsson, Anna"}, [Field.NAME]),
        ({"name": "安娜"}, []),
        ({"nationality": "NO"}, [Field.NATIONALITY]),
        ({"issuer": "NO"}, [Field.ISSUER]),
        ({"number": "l 898-902c3"}, []),
        ({"number": "L898902C4"}, [Field.NUMBER]),
        ({"born_on": date(1974, 8, 13)}, [Field.BIRTH]),
        ({"sex": Sex.MALE}, [Field.SEX]),
        ({"sex": Sex.UNSPECIFIED}, []),
        ({"expires_on": date(2012, 4, 16)}, [Field.EXPIRY]),
        ({"nationality": "NO", "sex": Sex.MALE}, [Field.NATIONALITY, Field.SEX]),
    ],
)
def test_what_was_said_otherwise(said: dict[str, Any], fields: list[Field]) -> None:
    swede = seen(zone(issuer="SWE", nationality="SWE"))
    assert list(contradicted(swede, replace(SAID, **said))) == fields


def test_who_said_nothing_contradicts_nothing() -> None:
    assert contradicted(seen(PASSPORT), Given()) == ()


def test_nobody_is_a_national_of_utopia() -> None:
    assert contradicted(seen(PASSPORT), Given(nationality="SE")) == (Field.NATIONALITY,)


def test_a_day_within_what_is_known_of_a_birthday_is_right() -> None:
    found = seen(zone(birth="7408<<"))
    assert contradicted(found, Given(born_on=date(1974, 8, 30))) == ()
    assert contradicted(found, Given(born_on=date(1974, 9, 1))) == (Field.BIRTH,)


# Passport and visa belong together

VISA = {"form": Form.MRV_B, "number": "L898902C3", "expiry": "270101"}


@pytest.mark.parametrize(
    ("visa", "fields"),
    [
        ({}, []),
        ({"name": "ERIKSSON<<ANNA"}, []),
        ({"name": "ERIKSSON<<ANNE<MARIA"}, [Field.NAME]),
        ({"nationality": "XXX"}, [Field.NATIONALITY]),
        ({"birth": "740813"}, [Field.BIRTH]),
        ({"birth": "7408<<"}, []),
        ({"birth": "<<<<<<"}, []),
        ({"sex": "M"}, [Field.SEX]),
        ({"sex": "<"}, []),
        ({"number": "B1234567"}, []),
        ({"birth": "740813", "sex": "M"}, [Field.BIRTH, Field.SEX]),
    ],
)
def test_a_visa_of_another_passport(visa: dict[str, Any], fields: list[Field]) -> None:
    assert list(disagreements(seen(PASSPORT), seen(zone(**{**VISA, **visa})))) == fields


@pytest.mark.parametrize(
    ("number", "optional", "visa_number", "is_carried", "fields"),
    [
        ("L898902C3", "", None, True, []),
        ("L898902C3", "", "B1234567", True, []),
        ("B1234567", "", "B 123-4567", False, []),
        ("B1234567", "L898902C3", None, True, []),
        ("X9999999", "", "B1234567", False, [Field.NUMBER]),
        ("X9999999", "", None, False, []),
    ],
)
def test_a_visa_carries_the_passports_number_or_its_own(
    number: str, optional: str, visa_number: str | None, is_carried: bool, fields: list[Field]
) -> None:
    passport, visa = seen(PASSPORT), seen(zone(Form.MRV_A, number=number, optional=optional))
    assert carries_number(visa, passport) is is_carried
    assert list(disagreements(passport, visa, visa_number=visa_number)) == fields


def test_germany_is_d_and_deu() -> None:
    german, visa = seen(zone(nationality="D")), seen(zone(**{**VISA, "nationality": "DEU"}))
    assert disagreements(german, visa) == ()


def test_two_passports_are_no_pair() -> None:
    assert disagreements(seen(PASSPORT), seen(PASSPORT)) == (Field.CODE,)
    assert disagreements(seen(VISA_A), seen(VISA_A)) == (Field.CODE,)


@pytest.mark.parametrize(
    ("birth", "on", "age"),
    [
        ("100302", date(2026, 3, 1), 15),
        ("100302", date(2026, 3, 2), 16),
        ("080229", date(2024, 2, 28), 15),
        ("080229", date(2025, 2, 28), 16),
        ("080229", date(2025, 3, 1), 17),
        ("1003<<", date(2026, 3, 30), 15),
        ("1003<<", date(2026, 3, 31), 16),
        ("10<<<<", date(2026, 12, 30), 15),
        ("10<<<<", date(2026, 12, 31), 16),
    ],
)
def test_an_age_is_the_least_that_the_zone_allows(birth: str, on: date, age: int) -> None:
    born = seen(zone(birth=birth)).born  # X9: under 16 is never admitted
    assert born
    assert least_age(born, on=on) == age
