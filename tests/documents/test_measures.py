"""The tables of thresholds and faults are whole, and no size or content of a picture upsets a measure."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from greenroom.documents.findings import FAULTS, THRESHOLDS, Fault, Measure, Unusable, findings_of
from greenroom.documents.likeness import BYTES
from greenroom.documents.measures import measured
from greenroom.law.terms import DocumentKind, FindingCode

HAN = re.compile("[一-鿿]")


def test_every_measure_has_its_threshold_and_every_fault_its_words() -> None:
    assert set(THRESHOLDS) == set(Measure)
    assert set(FAULTS) == set(Fault)
    for fault in Fault:
        words = Unusable(fault).words
        assert HAN.search(words.zh), fault
        assert not HAN.search(words.en), fault
        assert Unusable(fault).code.startswith("IMAGE_"), fault


@pytest.mark.parametrize("measure", Measure)
def test_a_value_at_its_threshold_is_good_and_one_beyond_is_told(measure: Measure) -> None:
    row = THRESHOLDS[measure]
    beyond = row.limit + (1 if row.warns == "above" else -1)
    assert findings_of({measure: row.limit}) == ()
    (finding,) = findings_of({measure: beyond})
    assert (finding.measure, finding.value, finding.threshold, finding.code) == (measure, beyond, row.limit, row.code)


def test_a_measure_that_was_not_taken_says_nothing() -> None:
    assert findings_of({}) == ()


@settings(deadline=None)
@given(
    st.integers(1, 1500),
    st.integers(1, 40),
    st.booleans(),
    st.binary(min_size=1, max_size=64),
    st.sampled_from(DocumentKind),
)
def test_any_picture_can_be_measured(
    long: int, short: int, is_upright: bool, content: bytes, kind: DocumentKind
) -> None:
    size = (short, long) if is_upright else (long, short)
    pixels = content * (3 * long * short // len(content) + 1)
    image = Image.frombytes("RGB", size, pixels[: 3 * long * short])
    values, likeness = measured(image, kind=kind, resolution=long)
    assert set(values) == set(Measure)
    assert all(0 <= value <= 100 for measure, value in values.items() if measure in (Measure.GLARE, Measure.EXPOSURE))
    assert 0 <= values[Measure.BRIGHTNESS] <= 255
    assert len(likeness) == BYTES


@pytest.mark.parametrize("colour", ["white", "black", "grey"])
def test_a_plain_picture_has_no_edges_and_no_colour(colour: str) -> None:
    values, _ = measured(Image.new("RGB", (800, 600), colour), kind=DocumentKind.WORK_VISA, resolution=800)
    codes = {finding.code for finding in findings_of(values)}
    assert {FindingCode.IMAGE_UNREADABLE, FindingCode.IMAGE_GREYSCALE} <= codes
    assert (FindingCode.IMAGE_GLARE in codes) == (colour == "white")
