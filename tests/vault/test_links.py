"""Links: what was signed is read until its end, for its purpose; whatever else is refused for one reason."""

import string
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.documents.links import BadLink, Link, LinkFault, LinkSigner, Purpose

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ACCOUNT, DOCUMENT = UUID(int=1), UUID(int=2)
OURS, THEIRS = LinkSigner(bytes(32)), LinkSigner(bytes(31) + b"\x01")
URL_SAFE = set(string.ascii_letters + string.digits + "-_")


def signed(purpose: Purpose = Purpose.UPLOAD, *, signer: LinkSigner = OURS, ends_in_s: float = 60) -> str:
    expires_at = NOW + timedelta(seconds=ends_in_s)
    return signer.sign(purpose, account_id=ACCOUNT, document_id=DOCUMENT, expires_at=expires_at)


def read(token: str, purpose: Purpose = Purpose.UPLOAD, *, now: datetime = NOW) -> Link | BadLink:
    return OURS.read(token, purpose=purpose, now=now)


@given(
    purpose=st.sampled_from(Purpose),
    account_id=st.uuids(),
    document_id=st.uuids(),
    expires_at=st.datetimes(NOW.replace(tzinfo=None) + timedelta(seconds=1), timezones=st.just(UTC)),
)
def test_a_link_says_what_was_signed(
    purpose: Purpose, account_id: UUID, document_id: UUID, expires_at: datetime
) -> None:
    token = OURS.sign(purpose, account_id=account_id, document_id=document_id, expires_at=expires_at)
    assert read(token, purpose) == Link(purpose, account_id, document_id, expires_at.replace(microsecond=0))
    assert len(token) == 80
    assert set(token) <= URL_SAFE


@pytest.mark.parametrize("ends_in_s", [0, -1, -1e9, 0.9])
def test_a_link_ends_with_its_second_and_not_later(ends_in_s: float) -> None:
    assert read(signed(ends_in_s=ends_in_s)) == BadLink(LinkFault.EXPIRED)


def test_a_link_holds_in_its_last_moment() -> None:
    assert isinstance(read(signed(ends_in_s=60), now=NOW + timedelta(seconds=59.999)), Link)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("other", Purpose)
def test_a_link_serves_its_own_purpose_alone(purpose: Purpose, other: Purpose) -> None:
    found = read(signed(purpose), other)
    assert isinstance(found, Link) if purpose is other else found == BadLink(LinkFault.WRONG_PURPOSE)


def test_a_link_of_another_key_is_foreign_even_when_it_is_over_or_for_something_else() -> None:
    for token in (signed(signer=THEIRS), signed(Purpose.DOWNLOAD, signer=THEIRS, ends_in_s=-60)):
        assert read(token) == BadLink(LinkFault.FOREIGN)


@given(at=st.integers(0, 79), character=st.sampled_from(sorted(URL_SAFE)))
def test_a_link_with_any_other_character_is_refused_for_that_and_nothing_else(at: int, character: str) -> None:
    token = signed(ends_in_s=-60)  # were it read before its signature, this would be told as over
    altered = token[:at] + character + token[at + 1 :]
    reasons = {LinkFault.MALFORMED, LinkFault.FOREIGN, LinkFault.ALTERED}
    assert altered == token or read(altered) in {BadLink(reason) for reason in reasons}


@pytest.mark.parametrize("at", [20, 40, 62, 79], ids=["account", "document", "tag", "last"])
def test_a_link_to_another_document_needs_another_signature(at: int) -> None:
    token = signed()
    assert read(token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :]) == BadLink(LinkFault.ALTERED)


@given(st.text(max_size=200) | st.text(alphabet=sorted(URL_SAFE), min_size=80, max_size=80))
def test_no_text_is_a_link_by_accident_or_raises(text: str) -> None:
    assert isinstance(read(text), BadLink)


@pytest.mark.parametrize(("ours", "other"), ["-+", "_/"])
def test_a_link_is_not_read_in_the_other_alphabet_of_base64(ours: str, other: str) -> None:
    document_id = UUID(bytes=b"\xfb\xff\xff" * 5 + b"\xfb")
    token = OURS.sign(Purpose.UPLOAD, account_id=ACCOUNT, document_id=document_id, expires_at=NOW + timedelta(hours=1))
    assert ours in token
    assert isinstance(read(token), Link)
    assert read(token.replace(ours, other)) == BadLink(LinkFault.MALFORMED)


@pytest.mark.parametrize("spelling", [" {}", "{}\n", "{}=", "{}====", "{}A", "%2e{}"])
def test_a_link_has_one_spelling(spelling: str) -> None:
    assert read(spelling.format(signed())) == BadLink(LinkFault.MALFORMED)


def test_a_link_cut_anywhere_is_malformed() -> None:
    for end in range(80):
        assert read(signed()[:end]) == BadLink(LinkFault.MALFORMED)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_signs_nothing(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        LinkSigner(bytes(size))
