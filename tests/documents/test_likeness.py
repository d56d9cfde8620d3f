"""An image is known again however it was scaled or compressed; a look-alike is never taken for it."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from documents.measure import altered
from documents.papers import PAGE, Page, Shot, page, photographed
from greenroom.documents.likeness import BYTES, DRAWN_MIN, SAME_MAX, distance, drawn, is_among, is_same
from greenroom.documents.measures import measured
from greenroom.law.terms import DocumentKind

PLACED = Shot(seed=7, size=(1200, 900))


def likeness(image: Image.Image) -> bytes:
    return measured(image, kind=DocumentKind.PASSPORT_DATA_PAGE, resolution=max(image.size))[1]


@pytest.fixture(scope="module")
def scans() -> list[Page]:
    """Pages of one country, scanned alike."""
    return [page(person) for person in range(8)]


@pytest.mark.parametrize("person", [0, 5])
def test_the_same_image_scaled_or_compressed_is_the_same(person: int, scans: list[Page]) -> None:
    for image in (scans[person].image, photographed(scans[person].image, PLACED)):
        known = likeness(image)
        for how, other in altered(image):
            if not how.startswith("("):
                assert is_same(known, likeness(other)), how


def test_no_two_people_of_one_country_are_the_same(scans: list[Page]) -> None:
    stands = [photographed(scan.image, PLACED) for scan in scans]
    for images in ([scan.image for scan in scans], stands):
        told = [likeness(image) for image in images]
        assert not [pair for pair in combinations(range(len(told)), 2) if is_same(told[pair[0]], told[pair[1]])]
        assert not is_among(told[0], told[1:])
        assert is_among(told[0], told)


def test_a_better_photo_of_the_same_page_is_another_image(scans: list[Page]) -> None:
    first = likeness(photographed(scans[0].image, PLACED))
    for seed in (8, 9, 10):
        again = photographed(scans[0].image, Shot(seed=seed, size=(1200, 900)))
        assert not is_same(first, likeness(again))


@pytest.mark.parametrize("colour", ["white", "black", (10, 10, 12)])
def test_an_image_that_shows_nothing_is_like_none(colour: str) -> None:
    plain = likeness(Image.new("RGB", PAGE, colour))
    assert drawn(plain) == 0
    assert distance(plain, plain) == 0
    assert not is_same(plain, plain)


def cells(one: bytes) -> list[int]:
    return [level for byte in one for level in (byte >> 4, byte & 15)]


def apart(one: bytes, other: bytes) -> int:
    """The definition, cell by cell."""
    return sum(abs(a - b) > 1 for a, b in zip(cells(one), cells(other), strict=True))


LIKENESS = st.binary(min_size=BYTES, max_size=BYTES)
FEW = st.dictionaries(st.integers(0, BYTES - 1), st.integers(0, 255), max_size=2 * SAME_MAX)


@given(LIKENESS, st.lists(LIKENESS, max_size=3), FEW)
def test_all_cells_at_once_are_compared_as_one_by_one(one: bytes, others: list[bytes], few: dict[int, int]) -> None:
    near = bytes(few.get(at, byte) for at, byte in enumerate(one))
    for other in (near, *others):
        assert distance(one, other) == apart(one, other)
    is_drawn = sum(level != 3 for level in cells(one)) >= DRAWN_MIN
    expected = is_drawn and any(apart(one, other) <= SAME_MAX for other in (*others, near))
    assert is_among(one, (*others, near)) == expected
