"""Tickets: a media server can trust one, and nothing else passes for one."""

import hmac
import json
import os
import warnings
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

from greenroom.jwts import Fault, written
from greenroom.sealing import KeyFileInvalid
from greenroom.settings import Settings
from greenroom.tickets import (
    TICKET_TYPE,
    BadTicket,
    TicketClaims,
    TicketSigner,
    load_keys,
    make_keys,
    new_key,
    signing_key,
)
from greenroom.tokens import DemoSigner

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = signing_key(new_key())
ISSUER, AUDIENCE, LIFETIME_S = "https://greenroom.example", "media-server", 300


def signer(*keys: OKPKey) -> TicketSigner:
    return TicketSigner(keys or (KEY,), issuer=ISSUER, audience=AUDIENCE, lifetime_s=LIFETIME_S)


def ticket(by: TicketSigner, now: datetime = NOW) -> str:
    return by.sign("room-1", record_id="record-1", account_id="account-1", now=now).token


def b64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good ticket; None takes one away."""
    at = int(NOW.timestamp())
    ids = {"iss": ISSUER, "aud": AUDIENCE, "sub": "account-1", "room": "room-1", "record": "record-1", "jti": "j"}
    found = {**ids, "iat": at, "nbf": at, "exp": at + 300, **changed}
    return {name: value for name, value in found.items() if value is not None}


def test_a_ticket_says_all_that_it_was_made_of() -> None:
    made = signer().sign("room-1", record_id="record-1", account_id="account-1", now=NOW)
    read = signer().read(made.token, now=NOW)
    assert isinstance(read, TicketClaims)
    assert (read.room_id, read.record_id, read.account_id) == ("room-1", "record-1", "account-1")
    assert (read.issued_at, read.expires_at) == (NOW, NOW + timedelta(seconds=300))
    assert made.expires_at == read.expires_at
    assert made.token not in repr(made)


def test_no_two_tickets_have_one_id() -> None:
    read = [signer().read(ticket(signer()), now=NOW) for _ in range(20)]
    assert len({each.id for each in read if isinstance(each, TicketClaims)}) == 20


def test_a_media_server_reads_it_with_the_published_keys_alone() -> None:
    other, published = signing_key(new_key()), signer().jwks()
    with warnings.catch_warnings(action="ignore"):
        read = jwt.decode(ticket(signer()), KeySet.import_key_set(published), algorithms=["EdDSA"])
    assert read.header == {"alg": "EdDSA", "kid": KEY.kid, "typ": TICKET_TYPE}
    assert (read.claims["aud"], read.claims["room"], read.claims["record"]) == (AUDIENCE, "room-1", "record-1")
    assert [key["kid"] for key in signer(other, KEY).jwks()["keys"]] == [other.kid, KEY.kid]


def test_published_keys_are_public() -> None:
    published = signer(KEY, signing_key(new_key())).jwks()
    assert [set(key) for key in published["keys"]] == [{"kty", "crv", "x", "kid", "use", "alg"}] * 2
    assert str(KEY.as_dict(private=True)["d"]) not in json.dumps(published)


def test_a_ticket_ends_with_its_last_second_and_no_later() -> None:
    token = ticket(signer())
    assert isinstance(signer().read(token, now=NOW + timedelta(seconds=299.9)), TicketClaims)
    assert signer().read(token, now=NOW + timedelta(seconds=300)) == BadTicket(Fault.EXPIRED)


def test_a_clock_half_a_minute_behind_still_reads_it() -> None:
    token = ticket(signer())
    assert isinstance(signer().read(token, now=NOW - timedelta(seconds=30)), TicketClaims)
    assert signer().read(token, now=NOW - timedelta(seconds=31)) == BadTicket(Fault.NOT_YET_VALID)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"iss": "https://elsewhere.example"}, Fault.WRONG_ISSUER),
        ({"iss": None}, Fault.WRONG_ISSUER),
        ({"iss": [ISSUER]}, Fault.WRONG_ISSUER),
        ({"aud": "greenroom"}, Fault.WRONG_AUDIENCE),
        ({"aud": None}, Fault.WRONG_AUDIENCE),
        ({"exp": None}, Fault.WRONG_CLAIMS),
        ({"exp": True}, Fault.WRONG_CLAIMS),
        ({"exp": 10**30}, Fault.WRONG_CLAIMS),
        ({"nbf": "now"}, Fault.WRONG_CLAIMS),
        ({"room": None}, Fault.WRONG_CLAIMS),
        ({"record": 7}, Fault.WRONG_CLAIMS),
        ({"sub": None}, Fault.WRONG_CLAIMS),
        ({"jti": None}, Fault.WRONG_CLAIMS),
    ],
    ids=str,
)
def test_a_claim_that_is_not_ours_refuses_it(changed: dict[str, Any], fault: Fault) -> None:
    token = written({"typ": TICKET_TYPE}, claims(**changed), key=KEY)
    assert signer().read(token, now=NOW) == BadTicket(fault)


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "GREENROOM-TICKET+JWT", "", None, 1, ["greenroom-ticket+jwt"]])
def test_our_own_signature_under_another_type_is_no_ticket(kind: object) -> None:
    token = written({"typ": kind}, claims(), key=KEY)
    assert signer().read(token, now=NOW) == BadTicket(Fault.WRONG_TYPE)


def test_an_access_token_is_no_ticket_even_of_the_same_key(tmp_path: Path) -> None:
    demo = DemoSigner(KEY)
    token = demo.sign("s", expires_in=timedelta(hours=1), audience=AUDIENCE, now=NOW)
    read = TicketSigner((KEY,), issuer="greenroom-demo", audience=AUDIENCE, lifetime_s=300).read(token, now=NOW)
    assert read == BadTicket(Fault.WRONG_TYPE)


def test_a_forger_with_our_kid_is_refused() -> None:
    stolen = signing_key({**new_key(), "kid": KEY.kid})
    assert signer().read(ticket(signer(stolen)), now=NOW) == BadTicket(Fault.WRONG_SIGNATURE)


def test_a_forger_with_a_kid_of_their_own_is_refused() -> None:
    assert signer().read(ticket(signer(signing_key(new_key()))), now=NOW) == BadTicket(Fault.UNKNOWN_KEY)


def test_the_public_key_is_no_shared_secret() -> None:
    public = OKPKey.import_key(KEY.as_dict(private=False))
    for secret in (
        public.as_pem(),
        public.as_der(),
        json.dumps(signer().jwks()["keys"][0]).encode(),
        KEY["x"].encode(),
    ):
        head = b64(json.dumps({"alg": "HS256", "typ": TICKET_TYPE, "kid": KEY.kid}).encode())
        signed = head + b"." + b64(json.dumps(claims()).encode())
        token = signed + b"." + b64(hmac.digest(secret, signed, "sha256"))
        assert signer().read(token.decode(), now=NOW) == BadTicket(Fault.ALGORITHM_REFUSED)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "Ed25519", "ES256", "eddsa"])
def test_no_algorithm_but_ours_is_read(algorithm: str) -> None:
    head = b64(json.dumps({"alg": algorithm, "typ": TICKET_TYPE, "kid": KEY.kid}).encode())
    signed = (head + b"." + b64(json.dumps(claims()).encode())).decode()
    for signature in ("", ticket(signer()).rpartition(".")[2]):
        assert signer().read(f"{signed}.{signature}", now=NOW) == BadTicket(Fault.ALGORITHM_REFUSED)


def test_a_key_changed_in_two_steps_leaves_no_ticket_unread() -> None:
    new = signing_key(new_key())
    before, between, after = signer(KEY), signer(KEY, new), signer(new, KEY)
    assert isinstance(after.read(ticket(before), now=NOW), TicketClaims)
    assert isinstance(between.read(ticket(after), now=NOW), TicketClaims)
    assert signer(new).read(ticket(before), now=NOW) == BadTicket(Fault.UNKNOWN_KEY)


def test_every_flipped_character_is_noticed() -> None:
    token = ticket(signer())
    for at, character in enumerate(token):
        changed = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        assert isinstance(signer().read(changed, now=NOW), BadTicket)


@given(st.one_of(st.text(), st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}")))
def test_garbage_is_refused_and_never_raises(text: str) -> None:
    assert isinstance(signer().read(text, now=NOW), BadTicket)


def test_a_huge_ticket_is_refused_unread() -> None:
    assert signer().read("a" * 10_000_000, now=NOW) == BadTicket(Fault.TOO_LARGE)


def test_the_demo_makes_its_key_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(setting="demo", data_dir=tmp_path, ticket_key_file=None)
    made = TicketSigner.of(settings)
    assert (tmp_path / "ticket-keys.json").stat().st_mode & 0o777 == 0o600
    assert isinstance(TicketSigner.of(settings).read(ticket(made), now=NOW), TicketClaims)


def test_twenty_who_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(make_keys, [tmp_path / "keys.json"] * 20))
    assert len({keys[0].kid for keys in made}) == 1
    assert os.listdir(tmp_path) == ["keys.json"]


def test_outside_the_demo_no_ticket_key_is_invented(tmp_path: Path) -> None:
    settings = Settings.model_construct(setting="production", data_dir=tmp_path, ticket_key_file=None)
    with pytest.raises(KeyFileInvalid, match="GREENROOM_TICKET_KEY_FILE"):
        TicketSigner.of(settings)
    assert not list(tmp_path.iterdir())


PUBLIC = KEY.as_dict(private=False)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({"keys": []}),
        json.dumps({"keys": [1]}),
        json.dumps({"keys": ["secret"]}),
        json.dumps({"keys": [PUBLIC]}),
        json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}),
        json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=True)]}),
        json.dumps({"keys": [OKPKey.generate_key("X25519").as_dict(private=True)]}),
        json.dumps({"keys": [OKPKey.generate_key("Ed448").as_dict(private=True)]}),
        json.dumps({"keys": [{**KEY.as_dict(private=True), "d": "!"}]}),
        json.dumps({"keys": [KEY.as_dict(private=True)] * 2}),
    ],
)
def test_a_file_without_private_ed25519_keys_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys").write_text(content)
    with pytest.raises(KeyFileInvalid, match="greenroom keys") as caught:
        load_keys(tmp_path / "keys")
    assert str(KEY.as_dict(private=True)["d"]) not in str(caught.value)
