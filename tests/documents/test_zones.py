"""Of all that recognition reads, the zone is what makes two lines with right digits in one way alone (X3)."""

import pytest
from law.mrz_specimens import PASSPORT, PUBLISHED, TODAY, VISA_A, VISA_B, zone

from greenroom.documents.zones import ReadZone, zone_in
from greenroom.law.terms import DocumentKind

PAGE, VISA = DocumentKind.PASSPORT_DATA_PAGE, DocumentKind.WORK_VISA
AROUND = ["PASSPORT REPUBLIC 1", "P   UTO", "L898902C3", "01 01 2022- 12 10 2098", "", "护照"]


def seen(text: str, *, kind: DocumentKind = PAGE) -> ReadZone | None:
    """The zone among other lines, the lower line first."""
    upper, lower = text.split("\n")
    return zone_in([*AROUND[:4], lower, upper], kind=kind, today=TODAY)


@pytest.mark.parametrize(("kind", "text"), [(PAGE, PASSPORT), (PAGE, PUBLISHED["HKG"]), (VISA, VISA_A), (VISA, VISA_B)])
def test_a_zone_is_found_among_other_lines_in_any_order(kind: DocumentKind, text: str) -> None:
    found = seen(text, kind=kind)
    assert found is not None
    assert "\n".join(found.lines) == text


@pytest.mark.parametrize("lines", [[], AROUND, PASSPORT.split("\n")[:1], PASSPORT.split("\n")[1:], ["<" * 44] * 8])
def test_without_both_lines_there_is_none(lines: list[str]) -> None:
    assert zone_in(lines, kind=PAGE, today=TODAY) is None


def test_of_another_document_than_was_announced_none_is_taken() -> None:
    assert seen(PASSPORT, kind=VISA) is None
    assert seen(VISA_A, kind=PAGE) is None
    assert seen(PASSPORT, kind=DocumentKind.WORK_PERMIT) is None


def test_two_zones_in_one_photo_are_none() -> None:
    both = [*PASSPORT.split("\n"), *zone(number="X12345678").split("\n")]
    assert zone_in(both, kind=PAGE, today=TODAY) is None


def test_what_recognition_mixes_up_is_put_right() -> None:
    """0 and O in a state's code, I as a bar, fillers counted short, spaces between."""
    text = zone(name="ERIKSSON<<ILSE", number="L87490A23")
    upper, lower = text.split("\n")
    read = zone_in([upper.rstrip("<").replace("I", "|"), lower.replace("UTO", "UT0")[:30] + " " + lower[30:]], **ON)
    assert read is not None
    assert "\n".join(read.lines) == text
    assert read.is_certain, "nothing of the number was touched"


def test_a_number_that_was_mended_or_may_be_another_is_not_certain() -> None:
    mended = zone(number="L80490A23").replace("L80490A23", "L8O490A23")
    doubtful = zone(number="L86490A23")  # 6 and G have one value for a check digit
    for text in (mended, doubtful):
        found = seen(text)
        assert found is not None
        assert not found.is_certain
    sure = seen(zone(number="L87490A23"))
    assert sure is not None
    assert sure.is_certain


def test_two_mistakes_of_one_kind_that_make_up_for_each_other_are_not_certain() -> None:
    """1 for I, at weights of 7 and of 3: seen of a real engine."""
    printed = zone(number="I3FRDM0IZ")
    assert printed.replace("I3FRDM0IZ", "13FRDM01Z") == zone(number="13FRDM01Z")
    for number, is_certain in (("13FRDM01Z", False), ("I3FRDM0IZ", False), ("13FRDM04Z", True)):
        found = seen(zone(number=number))
        assert found is not None
        assert found.is_certain is is_certain


def test_a_check_digit_that_can_t_be_mended_makes_it_none() -> None:
    assert seen(zone(number="L87490A23").replace("L87490A23", "L87491A23")) is None


def test_no_log_shows_what_was_read() -> None:
    assert "ERIKSSON" not in repr(seen(PASSPORT))


ON = {"kind": PAGE, "today": TODAY}
