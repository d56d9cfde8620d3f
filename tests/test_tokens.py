"""Tokens: whoever an issuer names is let in, and nobody else, whatever they send."""

import asyncio
import hmac
import json
import os
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from greenroom.access import Actor, Permission, account_id_of
from greenroom.jwks import JwksUrl, key_source, keys_of
from greenroom.jwts import Fault
from greenroom.sealing import KeyFileInvalid
from greenroom.settings import Settings
from greenroom.tickets import TicketSigner
from greenroom.tokens import SAID, SIGNATURES, BadToken, DemoSigner, Tokens

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER, AUDIENCE = "https://issuer.example", "greenroom"
DEFAULT = ("EdDSA", "ES256", "RS256", "PS256")

ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
EC384 = ECKey.generate_key("P-384", {"kid": "ec384"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
X25519 = OKPKey.generate_key("X25519", {"kid": "x"})
ALL = (ED, EC, EC384, RSA, X25519)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def public(*keys: Key, **parameters: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False, **parameters) for key in keys]}


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token; None takes one away."""
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop-1", "iat": AT, "exp": AT + 600, **changed}
    return {name: value for name, value in found.items() if value is not None}


def token(
    key: Key = ED, *, alg: str = "EdDSA", header: dict[str, Any] | None = None, body: str | None = None, **changed: Any
) -> str:
    """A token signed with joserfc as another program would; `body` replaces the claims, byte by byte."""
    head = {"alg": alg, "kid": key.kid, "typ": "at+jwt", **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    content = body if body is not None else json.dumps(claims(**changed))
    return signed(json.dumps(head), content, key=key, alg=alg)


def signed(head: str, body: str, *, key: Key, alg: str) -> str:
    """Any two texts, truly signed."""
    content = f"{b64(head.encode())}.{b64(body.encode())}"
    return f"{content}.{b64(jws.JWSRegistry.algorithms[alg].sign(content.encode(), key))}"


def checker(path: Path, *keys: Key, **changed: Any) -> Tokens:
    """A checker whose issuer publishes these keys in a file."""
    path = path / "jwks.json"
    path.write_text(json.dumps(public(*(keys or ALL))))
    return Tokens({ISSUER: key_source(str(path))}, **{"audience": AUDIENCE, "algorithms": DEFAULT, **changed})


async def outcome(tokens: Tokens, text: str, now: datetime = NOW) -> Actor | Fault:
    found = await tokens.actor(f"Bearer {text}", now=now)
    assert found is not None
    return found.reason if isinstance(found, BadToken) else found


# Who is let in


@pytest.mark.parametrize(
    ("key", "alg"),
    [(ED, "EdDSA"), (ED, "Ed25519"), (EC, "ES256"), (EC384, "ES384")]
    + [(RSA, f"{f}{b}") for f in ("RS", "PS") for b in (256, 384, 512)],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_a_token_of_the_issuer_says_who_is_asking(tmp_path: Path, key: Key, alg: str) -> None:
    text = token(key, alg=alg, accounts=["shop-1", "shop-2"], permissions=["REVIEW"], name="小店")
    actor = Actor(
        "shop-1",
        frozenset({account_id_of("shop-1"), account_id_of("shop-2")}),
        frozenset({Permission.REVIEW}),
        "小店",
    )
    tokens = checker(tmp_path, algorithms=tuple(SIGNATURES))
    assert await outcome(tokens, text) == actor
    assert await outcome(tokens, text) == actor  # remembered


async def test_no_header_is_nobody_and_no_fault(tmp_path: Path) -> None:
    assert await checker(tmp_path).actor(None, now=NOW) is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_may_be_written_in_any_case(tmp_path: Path, scheme: str) -> None:
    assert isinstance(await checker(tmp_path).actor(f"{scheme} {token()}", now=NOW), Actor)


@pytest.mark.parametrize("kind", [None, "JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_usual_types_of_access_tokens_are_taken(tmp_path: Path, kind: str | None) -> None:
    assert isinstance(await outcome(checker(tmp_path), token(header={"typ": kind})), Actor)


async def test_headers_that_nothing_is_read_from_do_no_harm(tmp_path: Path) -> None:
    assert isinstance(await outcome(checker(tmp_path), token(header={"x5t": "abc", "cat": "x"})), Actor)


async def test_one_key_needs_no_name_and_several_do(tmp_path: Path) -> None:
    unnamed = token(header={"kid": None})
    assert isinstance(await outcome(checker(tmp_path, ED), unnamed), Actor)
    assert await outcome(checker(tmp_path, ED, OKPKey.generate_key("Ed25519")), unnamed) is Fault.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("claim", "ids"),
    [
        (None, []),
        ([], []),
        ("shop-1", ["shop-1"]),
        ("shop 1", ["shop 1"]),
        (["店"] * 2, ["店"]),
        ([str(n) for n in range(100)], [str(n) for n in range(100)]),
    ],
    ids=lambda each: str(each)[:20],
)
async def test_accounts_are_a_list_or_one(tmp_path: Path, claim: object, ids: list[str]) -> None:
    actor = await outcome(checker(tmp_path), token(accounts=claim))
    assert isinstance(actor, Actor)
    assert actor.account_ids == frozenset(map(account_id_of, ids))


@pytest.mark.parametrize(
    ("claim", "permissions"),
    [
        (None, []),
        ("", []),
        ("REVIEW AUDIT", ["REVIEW", "AUDIT"]),
        (["REVIEW", "AUDIT"], ["REVIEW", "AUDIT"]),
        ("openid  REVIEW review profile", ["REVIEW"]),
        (["OWN_EVERYTHING", "__class__", "name", " REVIEW"], []),
    ],
    ids=str,
)
async def test_permissions_are_a_list_or_words_and_unknown_ones_are_passed_over(
    tmp_path: Path, claim: object, permissions: list[str]
) -> None:
    actor = await outcome(checker(tmp_path), token(permissions=claim))
    assert isinstance(actor, Actor)
    assert actor.permissions == frozenset(map(Permission, permissions))


async def test_claims_may_bear_the_issuers_own_names(tmp_path: Path) -> None:
    tokens = checker(tmp_path, accounts_claim="https://shop.example/ids", permissions_claim="scope")
    actor = await outcome(tokens, token(**{"https://shop.example/ids": "a", "scope": "MEDIA", "permissions": "AUDIT"}))
    assert isinstance(actor, Actor)
    assert (actor.account_ids, actor.permissions) == ({account_id_of("a")}, {Permission.MEDIA})


@pytest.mark.parametrize("name", [7, ["x"], "", "a\nb", "n" * 256, "\ud800"], ids=repr)
async def test_a_name_that_is_no_name_is_left_out(tmp_path: Path, name: object) -> None:
    actor = await outcome(checker(tmp_path), token(name=name))
    assert isinstance(actor, Actor)
    assert actor.name is None


# Who is not


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer x",
        "Bearer a.b",
        "Bearer ..",
        "Bearer a.b.c.d.e",
        "Bearer a.b.c",
        "Bearer 令牌.令牌.令牌",
        "Bearer \ud800",
        "Bearer " + b64(b"[]") + "." + b64(b"{}") + ".",
        "Bearer " + b64(b'["alg"]') + "." + b64(b"{}") + ".",
        "Bearer " + b64(b"{}") + "." + b64(b"{}") + ".",
        "Bearer " + b64(b'{"alg":null}') + "." + b64(b"{}") + ".",
        "Bearer " + b64(b'{"alg":["EdDSA"]}') + "." + b64(b"{}") + ".",
        "Bearer " + b64(b"\xff\xfe") + "." + b64(b"{}") + ".",
    ],
    ids=lambda header: header.encode("ascii", "replace").decode()[:30],
)
async def test_garbage_is_malformed(tmp_path: Path, header: str) -> None:
    found = await checker(tmp_path).actor(header, now=NOW)
    assert found == BadToken(Fault.MALFORMED)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda text: f"Bearer  {text}",
        lambda text: f"Bearer {text} ",
        lambda text: f"Bearer {text}\n",
        lambda text: f"Bearer {text}==",
        lambda text: f"Bearer {text}, Bearer {text}",
        lambda text: f"Token {text}",
        lambda text: f"Bearer\t{text}",
    ],
)
async def test_a_good_token_badly_sent_is_malformed(tmp_path: Path, spoilt: Any) -> None:
    assert await checker(tmp_path).actor(spoilt(token()), now=NOW) == BadToken(Fault.MALFORMED)


@pytest.mark.parametrize("size", [8_193, 10_000_000])
async def test_a_huge_token_is_refused_unread(tmp_path: Path, size: int) -> None:
    assert await outcome(checker(tmp_path), "a" * size) is Fault.TOO_LARGE


async def test_a_true_token_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    assert await outcome(checker(tmp_path), token(more="m" * 7_000)) is Fault.TOO_LARGE


@pytest.mark.parametrize(
    "body", ["[" * 5_000, '{"a":' * 1_000 + "1" + "}" * 1_000, '{"exp": ' + "9" * 5_000 + "}", "nope", "[]"]
)
async def test_a_body_that_is_no_plain_object_is_malformed(tmp_path: Path, body: str) -> None:
    tokens = checker(tmp_path, algorithms=("EdDSA",))
    assert await outcome(tokens, token(body=body)) in {Fault.MALFORMED, Fault.WRONG_ISSUER}


@pytest.mark.parametrize("name", ["sub", "iss", "exp", "aud", "accounts"])
async def test_a_claim_given_twice_is_refused(tmp_path: Path, name: str) -> None:
    good = json.dumps(claims(accounts=["a"]))
    twice = good[:-1] + f', "{name}": {json.dumps(claims(accounts=["a"])[name])}}}'
    assert await outcome(checker(tmp_path), token(body=twice)) is Fault.MALFORMED


async def test_a_header_given_twice_is_refused(tmp_path: Path) -> None:
    head = '{"alg":"none","alg":"EdDSA","kid":"ed"}'
    assert await outcome(checker(tmp_path), signed(head, json.dumps(claims()), key=ED, alg="EdDSA")) is Fault.MALFORMED


async def test_a_second_encoding_of_the_same_signature_is_refused(tmp_path: Path) -> None:
    good = token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(good[-1]) + 1]  # 64 bytes: the last character carries four bits that say nothing
    assert await outcome(checker(tmp_path), good[:-1] + sibling) is Fault.MALFORMED


async def test_every_flipped_character_is_noticed(tmp_path: Path) -> None:
    tokens, good = checker(tmp_path), token()
    assert isinstance(await outcome(tokens, good), Actor)  # remembered, and no help to its neighbours
    for at, character in enumerate(good):
        changed = good[:at] + ("A" if character != "A" else "B") + good[at + 1 :]
        assert isinstance(await outcome(tokens, changed), Fault)


async def test_claims_under_another_tokens_signature_are_refused(tmp_path: Path) -> None:
    head, _, signature = token().split(".")
    body = token(permissions="ADMINISTER").split(".")[1]
    assert await outcome(checker(tmp_path), f"{head}.{body}.{signature}") is Fault.WRONG_SIGNATURE


@pytest.mark.parametrize("key", [OKPKey.generate_key("Ed25519", {"kid": "ed"})])
async def test_a_forger_with_the_issuers_kid_is_refused(tmp_path: Path, key: Key) -> None:
    assert await outcome(checker(tmp_path), token(key)) is Fault.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", "HS256", "hs256", "EDDSA", "RS256 ", "ES256K", "A256GCM"]
)
@pytest.mark.parametrize("tail", ["", "empty", "stolen"])
async def test_an_algorithm_that_is_not_listed_is_refused(tmp_path: Path, alg: str, tail: str) -> None:
    signature = {"": "", "empty": b64(b""), "stolen": token().rpartition(".")[2]}[tail]
    text = f"{b64(json.dumps({'alg': alg, 'kid': 'ed'}).encode())}.{b64(json.dumps(claims()).encode())}.{signature}"
    assert await outcome(checker(tmp_path), text) is Fault.ALGORITHM_REFUSED


async def test_a_true_signature_by_an_unlisted_algorithm_is_refused(tmp_path: Path) -> None:
    assert await outcome(checker(tmp_path), token(RSA, alg="RS384")) is Fault.ALGORITHM_REFUSED
    assert await outcome(checker(tmp_path, algorithms=("RS256",)), token()) is Fault.ALGORITHM_REFUSED


def secrets_of(key: Any) -> list[bytes]:
    """Every public form of a key that a careless checker might take for a shared secret."""
    jwk = key.as_dict(private=False)
    pem = key.as_pem(private=False)
    return [
        pem,
        pem.strip(),
        key.as_der(private=False),
        json.dumps(jwk).encode(),
        str(jwk.get("x", jwk.get("n"))).encode(),
        b"",
    ]


@pytest.mark.parametrize("key", [ED, EC, RSA], ids=["ed", "ec", "rsa"])
@pytest.mark.parametrize(("alg", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
async def test_a_public_key_is_no_shared_secret(tmp_path: Path, key: Key, alg: str, digest: str) -> None:
    for secret in secrets_of(key):
        content = f"{b64(json.dumps({'alg': alg, 'kid': key.kid}).encode())}.{b64(json.dumps(claims()).encode())}"
        text = f"{content}.{b64(hmac.digest(secret, content.encode(), digest))}"
        assert await outcome(checker(tmp_path), text) is Fault.ALGORITHM_REFUSED


@pytest.mark.parametrize(
    ("named", "alg"),
    [
        (EC, "EdDSA"),
        (RSA, "EdDSA"),
        (X25519, "EdDSA"),
        (ED, "ES256"),
        (EC384, "ES256"),
        (RSA, "ES256"),
        (ED, "RS256"),
        (EC, "PS256"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.kid,
)
async def test_an_algorithm_that_does_not_fit_the_named_key_is_refused(tmp_path: Path, named: Key, alg: str) -> None:
    signer = {"EdDSA": ED, "ES256": EC, "RS256": RSA, "PS256": RSA}[alg]
    found = await outcome(checker(tmp_path), token(signer, alg=alg, header={"kid": named.kid}))
    assert found in {Fault.ALGORITHM_REFUSED, Fault.WRONG_SIGNATURE}


@pytest.mark.parametrize("parameters", [{"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES256"}], ids=str)
async def test_a_key_meant_for_something_else_checks_nothing(tmp_path: Path, parameters: dict[str, Any]) -> None:
    tokens = checker(tmp_path)
    (tmp_path / "jwks.json").write_text(json.dumps(public(ED, **parameters)))
    assert await outcome(tokens, token()) is Fault.ALGORITHM_REFUSED


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": ED.as_dict(private=False)},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MII"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": 7},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
    ],
    ids=lambda header: next(iter(header)),
)
async def test_a_header_that_brings_its_own_key_or_rules_is_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    assert await outcome(checker(tmp_path), token(header=header)) is Fault.HEADER_REFUSED


async def test_an_embedded_key_convinces_nobody(tmp_path: Path) -> None:
    own = OKPKey.generate_key("Ed25519", {"kid": "mine"})
    text = token(own, header={"jwk": own.as_dict(private=False)})
    assert await outcome(checker(tmp_path), text) is Fault.HEADER_REFUSED
    assert await outcome(checker(tmp_path), token(own)) is Fault.UNKNOWN_KEY


@pytest.mark.parametrize(
    "kid",
    ["", "ED", "ed ", "ed\x00", "../../etc/passwd", "' OR 1=1 --", "k" * 4_000, "ed\ud800"],
    ids=lambda kid: repr(kid)[:20],
)
async def test_a_kid_is_compared_and_nothing_else(tmp_path: Path, kid: str) -> None:
    assert await outcome(checker(tmp_path), token(header={"kid": kid})) is Fault.UNKNOWN_KEY


@pytest.mark.parametrize("kid", [0, True, ["ed"], {"ed": 1}], ids=str)
async def test_a_kid_that_is_no_string_is_malformed(tmp_path: Path, kid: object) -> None:
    assert await outcome(checker(tmp_path), token(header={"kid": kid})) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"iss": None}, Fault.WRONG_ISSUER),
        ({"iss": "https://issuer.example/"}, Fault.WRONG_ISSUER),
        ({"iss": "https://elsewhere.example"}, Fault.WRONG_ISSUER),
        ({"iss": [ISSUER]}, Fault.WRONG_ISSUER),
        ({"iss": {ISSUER: 1}}, Fault.WRONG_ISSUER),
        ({"aud": None}, Fault.WRONG_AUDIENCE),
        ({"aud": "elsewhere"}, Fault.WRONG_AUDIENCE),
        ({"aud": "greenroom2"}, Fault.WRONG_AUDIENCE),
        ({"aud": []}, Fault.WRONG_AUDIENCE),
        ({"aud": ["a", ["greenroom"]]}, Fault.WRONG_AUDIENCE),
        ({"aud": {"greenroom": 1}}, Fault.WRONG_AUDIENCE),
        ({"aud": 7}, Fault.WRONG_AUDIENCE),
        ({"exp": None}, Fault.WRONG_CLAIMS),
        ({"exp": str(AT + 600)}, Fault.WRONG_CLAIMS),
        ({"exp": True}, Fault.WRONG_CLAIMS),
        ({"exp": [AT + 600]}, Fault.WRONG_CLAIMS),
        ({"exp": -1}, Fault.WRONG_CLAIMS),
        ({"exp": (AT + 600) * 1_000}, Fault.WRONG_CLAIMS),
        ({"exp": 10**400}, Fault.WRONG_CLAIMS),
        ({"exp": float("inf")}, Fault.WRONG_CLAIMS),
        ({"exp": float("nan")}, Fault.WRONG_CLAIMS),
        ({"nbf": float("nan")}, Fault.WRONG_CLAIMS),
        ({"nbf": "soon"}, Fault.WRONG_CLAIMS),
        ({"iat": False}, Fault.WRONG_CLAIMS),
        ({"exp": AT - 30}, Fault.EXPIRED),
        ({"exp": 0}, Fault.EXPIRED),
        ({"nbf": AT + 31}, Fault.NOT_YET_VALID),
        ({"iat": AT + 31}, Fault.NOT_YET_VALID),
        ({"sub": None}, Fault.WRONG_CLAIMS),
        ({"sub": ""}, Fault.WRONG_CLAIMS),
        ({"sub": 7}, Fault.WRONG_CLAIMS),
        ({"sub": "s" * 256}, Fault.WRONG_CLAIMS),
        ({"sub": "a\nb"}, Fault.WRONG_CLAIMS),
        ({"sub": "a\u202eb"}, Fault.WRONG_CLAIMS),
        ({"sub": "\ud800"}, Fault.WRONG_CLAIMS),
        ({"accounts": 7}, Fault.WRONG_CLAIMS),
        ({"accounts": {"a": 1}}, Fault.WRONG_CLAIMS),
        ({"accounts": True}, Fault.WRONG_CLAIMS),
        ({"accounts": ""}, Fault.WRONG_CLAIMS),
        ({"accounts": [""]}, Fault.WRONG_CLAIMS),
        ({"accounts": ["a", None]}, Fault.WRONG_CLAIMS),
        ({"accounts": ["a", ["b"]]}, Fault.WRONG_CLAIMS),
        ({"accounts": ["a\x00"]}, Fault.WRONG_CLAIMS),
        ({"accounts": ["\ud800"]}, Fault.WRONG_CLAIMS),
        ({"accounts": [str(n) for n in range(101)]}, Fault.WRONG_CLAIMS),
        ({"permissions": 7}, Fault.WRONG_CLAIMS),
        ({"permissions": {"REVIEW": True}}, Fault.WRONG_CLAIMS),
        ({"permissions": ["REVIEW", 1]}, Fault.WRONG_CLAIMS),
        ({"permissions": [["REVIEW"]]}, Fault.WRONG_CLAIMS),
    ],
    ids=lambda each: ascii(each)[:40],
)
async def test_a_claim_that_is_missing_foreign_or_of_the_wrong_kind_refuses(
    tmp_path: Path, changed: dict[str, Any], fault: Fault
) -> None:
    assert await outcome(checker(tmp_path), token(**changed)) is fault


async def test_half_a_minute_of_unequal_clocks_is_forgiven(tmp_path: Path) -> None:
    for changed in ({"exp": AT - 29}, {"nbf": AT + 30}, {"iat": AT + 30}, {"exp": AT + 0.5}, {"aud": ["x", AUDIENCE]}):
        assert isinstance(await outcome(checker(tmp_path), token(**changed)), Actor)


@given(st.one_of(st.text(), st.from_regex(r"(?i)bearer [\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}")))
def test_no_header_raises_or_lets_anybody_in(header: str) -> None:
    tokens = Tokens({}, audience=AUDIENCE, algorithms=DEFAULT)
    assert isinstance(asyncio.run(tokens.actor(header, now=NOW)), BadToken)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "accounts", "permissions", "name"]), ANYTHING)
def test_no_signed_claim_raises(name: str, value: object) -> None:
    tokens = Tokens({ISSUER: DemoSigner(ED)}, audience=AUDIENCE, algorithms=DEFAULT)
    found = asyncio.run(tokens.actor(f"Bearer {token(**{name: value})}", now=NOW))
    assert isinstance(found, Actor | BadToken)


@given(st.sampled_from(["alg", "kid", "typ", "crit", "cty", "b64"]), ANYTHING)
def test_no_signed_header_raises(name: str, value: object) -> None:
    tokens = Tokens({ISSUER: DemoSigner(ED)}, audience=AUDIENCE, algorithms=DEFAULT)
    found = asyncio.run(tokens.actor(f"Bearer {token(header={name: value})}", now=NOW))
    assert isinstance(found, Actor | BadToken)


@pytest.mark.parametrize("algorithms", [(), ("HS256",), ("none",), ("EdDSA", "HS512"), ("EDDSA",)], ids=str)
def test_no_list_of_algorithms_may_hold_a_shared_secret(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="token algorithms"):
        Tokens({}, audience=AUDIENCE, algorithms=algorithms)


# What a refusal says


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_said_in_both_languages_and_fits_a_header(fault: Fault) -> None:
    bad = BadToken(fault)
    assert bad.message("zh-CN") != bad.message("en-GB") == SAID[fault][0]
    assert any("\u4e00" <= character <= "\u9fff" for character in bad.message("zh"))
    assert bad.challenge.isascii()
    assert bad.challenge.count('"') == 6
    assert "\\" not in bad.challenge
    assert bad.status == (503 if fault is Fault.ISSUER_UNREACHABLE else 401)
    assert bad.code == f"TOKEN_{fault.name}"


async def test_no_refusal_and_no_memory_holds_the_token(tmp_path: Path) -> None:
    tokens = checker(tmp_path)
    good, bad = token(sub="Planted-Subject"), token(sub="Planted-Subject", exp=1)
    await outcome(tokens, good)
    found = await tokens.actor(f"Bearer {bad}", now=NOW)
    assert isinstance(found, BadToken)
    said = repr(found) + found.challenge + found.message("en") + found.message("zh")
    assert not any(part in said for part in [*bad.split("."), "Planted"])
    assert not any(part in repr(vars(tokens)) for part in good.split("."))


# What is remembered


async def test_a_remembered_token_ends_when_it_ends(tmp_path: Path) -> None:
    tokens, text = checker(tmp_path), token()
    assert isinstance(await outcome(tokens, text), Actor)
    assert isinstance(await outcome(tokens, text, later(629)), Actor)
    assert await outcome(tokens, text, later(630)) is Fault.EXPIRED
    assert await outcome(tokens, text, later(-31)) is Fault.NOT_YET_VALID


async def test_a_remembered_token_falls_with_its_key(tmp_path: Path) -> None:
    tokens, text = checker(tmp_path, ED, EC), token()
    assert isinstance(await outcome(tokens, text), Actor)
    (tmp_path / "jwks.json").write_text(json.dumps(public(EC)))
    assert await outcome(tokens, text, later(2)) is Fault.UNKNOWN_KEY


async def test_memory_is_bounded(tmp_path: Path) -> None:
    tokens = checker(tmp_path)
    for number in range(2_100):
        assert isinstance(await outcome(tokens, token(sub=str(number))), Actor)
    assert len(tokens._seen) == 2_048


# Keys in a file


async def test_keys_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    tokens, new = checker(tmp_path, ED), OKPKey.generate_key("Ed25519", {"kid": "new"})
    assert await outcome(tokens, token(new)) is Fault.UNKNOWN_KEY
    (tmp_path / "jwks.json").write_text(json.dumps(public(new)))
    assert isinstance(await outcome(tokens, token(new)), Actor)
    assert await outcome(tokens, token()) is Fault.UNKNOWN_KEY


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "{}", '{"keys": []}', '{"keys": 7}', "[" * 100_000, json.dumps(public(EC384)) + " " * 300_000],
    ids=lambda c: str(c)[:10],
)
async def test_a_file_that_broke_leaves_the_last_keys(tmp_path: Path, content: str | None) -> None:
    tokens, file = checker(tmp_path, ED), tmp_path / "jwks.json"
    file.unlink() if content is None else file.write_text(content)
    assert isinstance(await outcome(tokens, token(), later(5)), Actor)
    file.write_text(json.dumps(public(EC)))
    assert isinstance(await outcome(tokens, token(EC, alg="ES256"), later(10)), Actor)


@pytest.mark.parametrize(
    "content", [None, "", "{}", '{"keys": [7, null, "x", {"kty": "oct", "k": "c2VjcmV0"}]}'], ids=str
)
def test_a_file_without_public_keys_is_refused_at_the_start(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "jwks.json").write_text(content)
    with pytest.raises(KeyFileInvalid, match=r"jwks\.json"):
        key_source(str(tmp_path / "jwks.json"))


def test_only_public_keys_of_strength_are_taken_from_a_set() -> None:
    with warnings.catch_warnings(action="ignore"):
        weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    spoilt = [
        7,
        {},
        weak,
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": ["P-256"], "x": 1, "y": None},
        {"kty": "RSA", "n": "", "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": ["OKP"]},
        {**ED.as_dict(private=False), "kid": 7},
        {**ED.as_dict(private=False), "use": ["sig"], "key_ops": ["verify"]},
        OctKey.generate_key(256).as_dict(private=True),
        ED.as_dict(private=True),
    ]
    with warnings.catch_warnings(action="ignore"):
        kept = keys_of(json.dumps({"keys": [*spoilt, EC.as_dict(private=False)]}).encode())
    assert [key.kid for key in kept] == ["ec"]


# Keys over HTTP


@dataclass
class Issuer:
    """An issuer's web server on loopback that answers as told."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json?tenant=1"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    told = Issuer(json.dumps(public(ED)).encode())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for byte in told.content if told.pause_s else [told.content]:
                    self.wfile.write(byte if isinstance(byte, bytes) else bytes([byte]))
                    self.wfile.flush()
                    time.sleep(told.pause_s)
            except OSError:
                pass  # the client hung up

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.port = server.server_address[1]
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


def fetching(issuer: Issuer, *, fetch_s: float = 5) -> Tokens:
    source = JwksUrl(issuer.url, fetch_s=fetch_s)
    return Tokens({ISSUER: source}, audience=AUDIENCE, algorithms=DEFAULT)


async def test_keys_are_fetched_once_for_all_who_wait(issuer: Issuer) -> None:
    tokens = fetching(issuer)
    found = await asyncio.gather(*(outcome(tokens, token(sub=str(number))) for number in range(50)))
    assert all(isinstance(each, Actor) for each in found)
    assert issuer.asked == ["/jwks.json?tenant=1"]


async def test_one_who_hangs_up_takes_the_keys_from_nobody(issuer: Issuer) -> None:
    tokens, issuer.pause_s = fetching(issuer), 0.002
    impatient = asyncio.create_task(outcome(tokens, token(sub="1")))
    patient = asyncio.create_task(outcome(tokens, token(sub="2")))
    await asyncio.sleep(0.02)
    impatient.cancel()
    assert isinstance(await patient, Actor)
    assert len(issuer.asked) == 1


async def test_a_new_key_is_looked_for_at_most_every_half_minute(issuer: Issuer) -> None:
    tokens, new = fetching(issuer), OKPKey.generate_key("Ed25519", {"kid": "new"})
    await outcome(tokens, token())
    issuer.content = json.dumps(public(ED, new)).encode()
    for second in range(30):
        assert await outcome(tokens, token(new, sub=str(second)), later(second)) is Fault.UNKNOWN_KEY
    assert len(issuer.asked) == 1
    assert isinstance(await outcome(tokens, token(new), later(30)), Actor)
    assert isinstance(await outcome(tokens, token(), later(30)), Actor)
    assert len(issuer.asked) == 2


async def test_a_key_that_the_issuer_took_back_is_gone_after_ten_minutes(issuer: Issuer) -> None:
    tokens, text = fetching(issuer), token(exp=AT + 3_600)
    await outcome(tokens, text)
    issuer.content = json.dumps(public(EC)).encode()
    assert isinstance(await outcome(tokens, text, later(599)), Actor)
    await outcome(tokens, text, later(600))  # answered by what is known, while the keys are fetched
    assert isinstance(await outcome(tokens, token(EC, alg="ES256", exp=AT + 3_600), later(601)), Actor)
    assert await outcome(tokens, text, later(601)) is Fault.UNKNOWN_KEY


async def settled(tokens: Tokens, text: str, now: datetime) -> Actor | Fault:
    """The answer once no look is under way: an unknown kid waits for it."""
    stranger = OKPKey.generate_key("Ed25519", {"kid": "stranger"})
    await outcome(tokens, text, now)
    await outcome(tokens, token(stranger), now)
    return await outcome(tokens, text, now)


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 500},
        {"status": 404},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/elsewhere"}},
        {"content": b""},
        {"content": b"{"},
        {"content": b'{"keys": []}'},
        {"content": b"<html>"},
        {"content": json.dumps(public(ED)).encode() + b" " * 300_000},
        {"headers": {"Content-Length": "100000"}, "content": b'{"keys": [{"kty"'},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"pause_s": 0.05},
    ],
    ids=lambda failure: str(failure)[:40],
)
async def test_an_issuer_that_fails_leaves_the_last_keys_and_nobody_in_at_the_start(
    issuer: Issuer, failure: dict[str, Any]
) -> None:
    known, fresh, text = fetching(issuer, fetch_s=0.3), fetching(issuer, fetch_s=0.3), token(exp=AT + 3_600)
    assert isinstance(await outcome(known, text), Actor)
    well = dict(vars(issuer))
    vars(issuer).update(failure)

    assert isinstance(await settled(known, text, later(700)), Actor)
    assert await outcome(fresh, text) is Fault.ISSUER_UNREACHABLE
    asked = len(issuer.asked)
    assert await outcome(fresh, text, later(4)) is Fault.ISSUER_UNREACHABLE
    assert len(issuer.asked) == asked  # not hammered

    vars(issuer).update(well)
    assert isinstance(await outcome(fresh, text, later(5)), Actor)


async def test_a_redirect_is_not_followed(issuer: Issuer) -> None:
    issuer.status, issuer.headers = 302, {"Location": f"http://127.0.0.1:{issuer.port}/other"}
    assert await outcome(fetching(issuer), token()) is Fault.ISSUER_UNREACHABLE
    assert issuer.asked == ["/jwks.json?tenant=1"]


async def test_an_issuer_that_is_down_leaves_the_last_keys(issuer: Issuer, tmp_path: Path) -> None:
    tokens, text = fetching(issuer), token(exp=AT + 3_600)
    await outcome(tokens, text)
    tokens._issuers[ISSUER]._url = "http://127.0.0.1:1/jwks.json"  # type: ignore[attr-defined]  # nobody listens there
    assert isinstance(await settled(tokens, text, later(700)), Actor)
    nobody = Tokens({ISSUER: JwksUrl("http://127.0.0.1:1/")}, audience=AUDIENCE, algorithms=DEFAULT)
    found = await nobody.actor(f"Bearer {text}", now=NOW)
    assert isinstance(found, BadToken)
    assert found.status == 503


async def test_https_is_not_spoken_to_a_server_without_it(issuer: Issuer) -> None:
    source = JwksUrl(issuer.url.replace("http:", "https:"))
    tokens = Tokens({ISSUER: source}, audience=AUDIENCE, algorithms=DEFAULT)
    assert await outcome(tokens, token()) is Fault.ISSUER_UNREACHABLE
    assert issuer.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/jwks",
        "http://10.0.0.1/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https://",
        "http:///x",
    ],
)
def test_keys_travel_over_https_or_not_at_all(url: str) -> None:
    with pytest.raises(ValueError, match="GREENROOM_TOKEN_JWKS"):
        key_source(url)


@pytest.mark.parametrize(
    "url", ["https://issuer.example/jwks", "http://localhost:1/", "http://127.0.0.9/", "http://[::1]:80/"]
)
def test_https_and_loopback_are_taken(url: str) -> None:
    assert isinstance(key_source(url), JwksUrl)


# The demo's own signer


def demo(tmp_path: Path, **changed: Any) -> Settings:
    return Settings(setting="demo", data_dir=tmp_path, token_issuer=changed.pop("token_issuer", None), **changed)


def production(tmp_path: Path, **changed: Any) -> Settings:
    (tmp_path / "jwks.json").write_text(json.dumps(public(ED)))
    given = {
        "database_url": "postgresql://localhost/greenroom",
        "master_key_file": tmp_path / "master",
        "ticket_key_file": tmp_path / "tickets",
        "token_issuer": ISSUER,
        "token_jwks": str(tmp_path / "jwks.json"),
    }
    return Settings(setting="production", data_dir=tmp_path, **(given | changed))


def demo_token(signer: DemoSigner, **changed: Any) -> str:
    given = {"accounts": ["a"], "permissions": [Permission.REVIEW], "expires_in": timedelta(hours=1)}
    return signer.sign("me", **(given | {"audience": AUDIENCE, "now": NOW, "name": "Me"} | changed))


async def test_the_demo_takes_what_its_signer_signs(tmp_path: Path) -> None:
    tokens, signer = Tokens.of(demo(tmp_path)), DemoSigner.at(tmp_path)
    expected = Actor("me", frozenset({account_id_of("a")}), frozenset({Permission.REVIEW}), "Me")
    assert await outcome(tokens, demo_token(signer)) == expected
    assert await outcome(tokens, demo_token(signer, audience="x")) is Fault.WRONG_AUDIENCE
    assert await outcome(tokens, demo_token(signer, expires_in=timedelta(seconds=-31))) is Fault.EXPIRED
    assert (tmp_path / "demo-signer.json").stat().st_mode & 0o777 == 0o600


async def test_the_demos_signer_follows_the_names_of_claims(tmp_path: Path) -> None:
    settings = demo(tmp_path, token_accounts_claim="shops", token_permissions_claim="scope")
    actor = await outcome(Tokens.of(settings), demo_token(DemoSigner.of(settings)))
    assert isinstance(actor, Actor)
    assert (len(actor.account_ids), len(actor.permissions)) == (1, 1)


async def test_the_demos_key_signs_for_no_other_issuer_nor_theirs_for_the_demo(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps(public(ED)))
    tokens = Tokens.of(demo(tmp_path, token_issuer=ISSUER, token_jwks=str(tmp_path / "jwks.json")))
    key = OKPKey.import_key(json.loads((tmp_path / "demo-signer.json").read_text()))
    assert isinstance(await outcome(tokens, token()), Actor)
    assert await outcome(tokens, token(key)) is Fault.UNKNOWN_KEY
    assert await outcome(tokens, token(iss="greenroom-demo")) is Fault.UNKNOWN_KEY


async def test_outside_the_demo_its_signer_is_off_even_with_its_key_at_hand(tmp_path: Path) -> None:
    signer = DemoSigner.at(tmp_path)
    tokens = Tokens.of(production(tmp_path))
    assert await outcome(tokens, demo_token(signer)) is Fault.WRONG_ISSUER
    key = OKPKey.import_key(json.loads((tmp_path / "demo-signer.json").read_text()))
    assert await outcome(tokens, token(key)) is Fault.UNKNOWN_KEY
    assert isinstance(await outcome(tokens, token()), Actor)


def test_outside_the_demo_its_signer_signs_nothing_and_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Only the demo setting"):
        DemoSigner.of(production(tmp_path))
    Tokens.of(production(tmp_path))
    assert not (tmp_path / "demo-signer.json").exists()


def test_nobody_may_call_their_issuer_as_the_demos_signer_is_called(tmp_path: Path) -> None:
    DemoSigner.at(tmp_path)
    for settings in (
        production(tmp_path, token_issuer="greenroom-demo"),
        production(tmp_path, token_issuer="greenroom-demo", token_jwks=str(tmp_path / "demo-signer.json")),
        demo(tmp_path, token_issuer="greenroom-demo", token_jwks=str(tmp_path / "jwks.json")),
    ):
        with pytest.raises(ValueError, match="GREENROOM_TOKEN_ISSUER"):
            Tokens.of(settings)


def test_the_demos_key_file_is_no_key_set_of_an_issuer(tmp_path: Path) -> None:
    DemoSigner.at(tmp_path)
    with pytest.raises(KeyFileInvalid):
        Tokens.of(production(tmp_path, token_jwks=str(tmp_path / "demo-signer.json")))


def test_twenty_who_make_the_demos_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(DemoSigner.at, [tmp_path] * 20))
    assert len({signer.current(0)[0].kid for signer in made}) == 1
    assert os.listdir(tmp_path) == ["demo-signer.json"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "7", json.dumps(public(ED)), json.dumps(ED.as_dict(private=False))]
)
def test_a_broken_demo_key_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo-signer.json").write_text(content)
    with pytest.raises(KeyFileInvalid, match=r"demo-signer\.json"):
        DemoSigner.at(tmp_path)


# Tickets


async def test_a_ticket_is_no_access_token_even_of_the_issuers_own_key(tmp_path: Path) -> None:
    signer = TicketSigner((ED,), issuer=ISSUER, audience=AUDIENCE, lifetime_s=300)
    ticket = signer.sign("room", record_id="record", account_id="account", now=NOW)
    assert await outcome(checker(tmp_path), ticket.token) is Fault.WRONG_TYPE
