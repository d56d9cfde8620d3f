"""Tickets: minutes of leave to broadcast that a media server can check by itself; and the strict reading of any JWT."""

import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite, nan
from pathlib import Path
from typing import Any, Self

from joserfc.errors import JoseError
from joserfc.jwk import Key, OKPKey
from joserfc.jws import JWSRegistry

from greenroom.sealing import KeyFileInvalid, made_once, read_key_file
from greenroom.settings import Settings

FILE_NAME = "ticket-keys.json"
TICKET_TYPE = "greenroom-ticket+jwt"  # no access token is of this type, and a ticket is of no other (RFC 8725, 3.11)
JWT_BYTES_MAX = 8 * 1024
LEEWAY_S = 30

# Each would have us take a key from the caller, or read the rest in another way.
REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})

Keys = tuple[Key, ...]


class Fault(StrEnum):
    """Why a JWT does not count."""

    MALFORMED = "MALFORMED"
    TOO_LARGE = "TOO_LARGE"
    HEADER_REFUSED = "HEADER_REFUSED"
    ALGORITHM_REFUSED = "ALGORITHM_REFUSED"
    WRONG_TYPE = "WRONG_TYPE"
    WRONG_ISSUER = "WRONG_ISSUER"
    WRONG_AUDIENCE = "WRONG_AUDIENCE"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    WRONG_SIGNATURE = "WRONG_SIGNATURE"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    WRONG_CLAIMS = "WRONG_CLAIMS"
    ISSUER_UNREACHABLE = "ISSUER_UNREACHABLE"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket and the instant at which it ends."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TicketClaims:
    """What a ticket says: this account's room was admitted by this record."""

    id: str
    account_id: str
    room_id: str
    record_id: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BadTicket:
    """Not a ticket of ours that holds now."""

    reason: Fault


class TicketSigner:
    """Signs tickets with the first of its Ed25519 keys, and reads and publishes those of all.

    To change keys: put the new one second, restart every process, and wait until the media servers have read the
    JWKS again; then put it first and restart; a ticket's lifetime later the old one may go.
    """

    def __init__(self, keys: tuple[OKPKey, ...], *, issuer: str, audience: str, lifetime_s: int) -> None:
        self._keys, self._issuer, self._audience = keys, issuer, audience
        self._lifetime = timedelta(seconds=lifetime_s)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the signer of these settings; the demo setting makes its own key. Raises KeyFileInvalid."""
        if settings.ticket_key_file is None and not settings.is_demo:
            raise KeyFileInvalid(Path("GREENROOM_TICKET_KEY_FILE"), "not set")
        path = settings.ticket_key_file
        keys = make_keys(settings.data_dir / FILE_NAME) if path is None else load_keys(path)
        audience, lifetime_s = settings.ticket_audience, settings.ticket_lifetime_s
        return cls(keys, issuer=settings.public_url, audience=audience, lifetime_s=lifetime_s)

    def sign(self, room_id: str, *, record_id: str, account_id: str, now: datetime) -> Ticket:
        """Return a ticket that holds from now on, for the lifetime of the settings."""
        made = int(now.timestamp())
        end = made + int(self._lifetime.total_seconds())
        claims = {"iss": self._issuer, "aud": self._audience, "sub": account_id, "room": room_id, "record": record_id}
        times = {"jti": secrets.token_urlsafe(16), "iat": made, "nbf": made, "exp": end}
        token = written({"typ": TICKET_TYPE}, {**claims, **times}, key=self._keys[0])
        return Ticket(token, datetime.fromtimestamp(end, UTC))

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys (RFC 7517, RFC 8037), for /.well-known/jwks.json."""
        return {"keys": [_published(key) for key in self._keys]}

    def read(self, token: str, *, now: datetime) -> TicketClaims | BadTicket:
        """Return what a ticket of ours says. It is never taken past its end, whatever the clocks."""
        jwt = parsed(token)
        if isinstance(jwt, Fault):
            return BadTicket(jwt)
        if fault := self._fault(jwt, now.timestamp()):
            return BadTicket(fault)
        return _claims(jwt.claims) or BadTicket(Fault.WRONG_CLAIMS)

    def _fault(self, jwt: "Jwt", at: float) -> Fault | None:
        if jwt.header.get("typ") != TICKET_TYPE:
            return Fault.WRONG_TYPE
        if jwt.algorithm != "EdDSA":
            return Fault.ALGORITHM_REFUSED
        if jwt.claims.get("iss") != self._issuer:
            return Fault.WRONG_ISSUER
        return (
            signature_fault(jwt, self._keys)
            or audience_fault(jwt.claims, self._audience)
            or time_fault(jwt.claims, at, late_s=0)
        )


def load_keys(path: Path) -> tuple[OKPKey, ...]:
    """Return the private Ed25519 keys of a JWKS file, the one that signs first. Raises KeyFileInvalid."""
    return _keys_in(path, read_key_file(path))


def make_keys(path: Path) -> tuple[OKPKey, ...]:
    """Return the keys of the file, one made there, mode 0600, where there is no file. Raises KeyFileInvalid."""
    return _keys_in(path, made_once(path, lambda: json.dumps({"keys": [new_key()]}, indent=2).encode()))


def new_key() -> dict[str, Any]:
    """Return a private Ed25519 key as a JWK; its kid is its thumbprint (RFC 7638)."""
    return dict(OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=True))


def signing_key(entry: dict[str, Any]) -> OKPKey:
    """Return a JWK as a key that can sign with Ed25519. Raises ValueError."""
    try:
        key = OKPKey.import_key(entry)
    except (JoseError, TypeError, KeyError):
        raise ValueError("not an Ed25519 key") from None
    if not key.is_private or key.curve_name != "Ed25519":
        raise ValueError("not a private Ed25519 key")
    key.ensure_kid()
    return key


def _keys_in(path: Path, content: bytes) -> tuple[OKPKey, ...]:
    try:
        keys = tuple(signing_key(entry) for entry in json.loads(content)["keys"])
    except (ValueError, TypeError, KeyError):
        raise KeyFileInvalid(path, "not a JWKS of private Ed25519 keys") from None
    if not keys or len({key.kid for key in keys}) < len(keys):
        raise KeyFileInvalid(path, "no key in it, or two of one kid")
    return keys


def _published(key: OKPKey) -> dict[str, str]:
    public = key.as_dict(private=False)
    return {**{name: str(public[name]) for name in ("kty", "crv", "x", "kid")}, "use": "sig", "alg": "EdDSA"}


def _claims(claims: dict[str, Any]) -> TicketClaims | None:
    ids = [claims.get(name) for name in ("jti", "sub", "room", "record")]
    if (span := validity(claims)) is None or not all(isinstance(each, str) for each in ids):
        return None
    ticket_id, account_id, room_id, record_id = map(str, ids)
    return TicketClaims(ticket_id, account_id, room_id, record_id, *(datetime.fromtimestamp(at, UTC) for at in span))


@dataclass(frozen=True, slots=True)
class Jwt:
    """A JWT taken apart; nothing in it is true before its signature is checked."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """Its `alg`."""
        return str(self.header["alg"])


def parsed(token: str) -> Jwt | Fault:
    """Take a compact JWT apart: one encoding for each token, no member twice, only headers that we may heed.

    joserfc's own reader takes the last of two equal members, and any encoding that base64 forgives.
    """
    if len(token) > JWT_BYTES_MAX:
        return Fault.TOO_LARGE
    if not _COMPACT.fullmatch(token):
        return Fault.MALFORMED
    head, body, tail = token.encode().split(b".")
    try:
        jwt = Jwt(_object(_decoded(head)), _object(_decoded(body)), head + b"." + body, _decoded(tail))
    except (ValueError, RecursionError):
        return Fault.MALFORMED
    if "alg" not in jwt.header or not all(isinstance(jwt.header.get(name, ""), str) for name in ("alg", "kid")):
        return Fault.MALFORMED
    return Fault.HEADER_REFUSED if REFUSED_HEADERS & jwt.header.keys() else jwt


_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def written(header: dict[str, Any], claims: dict[str, Any], *, key: OKPKey) -> str:
    """Return a compact JWT signed with EdDSA (RFC 8037), with the key's id in its header.

    Straight to joserfc's algorithm: its `encode` warns on each call that RFC 9864 renamed EdDSA to Ed25519, a name
    that fewer libraries of media servers know.
    """
    head = {"alg": "EdDSA", "kid": key.kid, **header}
    signed = b".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return b".".join([signed, _encoded(JWSRegistry.algorithms["EdDSA"].sign(signed, key))]).decode()


def named(jwt: Jwt, keys: Keys) -> Keys:
    """Return the keys that the token's kid names; all where it names none."""
    kid = jwt.header.get("kid")
    return keys if kid is None else tuple(key for key in keys if key.kid == kid)


def signature_fault(jwt: Jwt, keys: Keys) -> Fault | None:
    """Check the signature by the one key that the token names, with an algorithm that this key is for."""
    if not (candidates := named(jwt, keys)):
        return Fault.UNKNOWN_KEY
    fitting = [key for key in candidates if _fits(key, jwt.algorithm)]
    if not fitting:
        return Fault.ALGORITHM_REFUSED
    if len(fitting) > 1:
        return Fault.UNKNOWN_KEY
    return None if _signed(jwt, fitting[0]) else Fault.WRONG_SIGNATURE


def _fits(key: Key, algorithm: str) -> bool:
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
        key.check_key_op("verify")
    except (JoseError, KeyError):
        return False
    return True


def _signed(jwt: Jwt, key: Key) -> bool:
    try:
        return JWSRegistry.algorithms[jwt.algorithm].verify(jwt.signed, jwt.signature, key)
    except (JoseError, ValueError):
        return False


def audience_fault(claims: dict[str, Any], audience: str) -> Fault | None:
    """Check aud, one name or a list of names."""
    meant = claims.get("aud")
    return None if meant == audience or (isinstance(meant, list) and audience in meant) else Fault.WRONG_AUDIENCE


def time_fault(claims: dict[str, Any], at: float, *, late_s: int = LEEWAY_S) -> Fault | None:
    """Check exp, nbf and iat; `late_s` is how long after its end a token is still taken."""
    if (span := validity(claims)) is None:
        return Fault.WRONG_CLAIMS
    start, end = span
    if at >= end + late_s:
        return Fault.EXPIRED
    return Fault.NOT_YET_VALID if at < start - LEEWAY_S else None


def validity(claims: dict[str, Any]) -> tuple[float, float] | None:
    """Return from when (the later of nbf and iat) to when (exp, required) the claims hold, seconds since 1970."""
    end, *starts = (_instant(claims.get(name, absent)) for name, absent in (("exp", nan), ("nbf", 0), ("iat", 0)))
    return (max(starts), end) if all(map(isfinite, (end, *starts))) else None


def _instant(value: object) -> float:
    """A NumericDate before the year 10000, or NaN; `true` is no number here."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 253_402_300_800:
        return nan
    return float(value)


def _decoded(part: bytes) -> bytes:
    raw = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if _encoded(raw) != part:
        raise ValueError("a second encoding of the same bytes")
    return raw


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _object(raw: bytes) -> dict[str, Any]:
    found = _STRICT.decode(raw.decode())
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one token must not see two different claims (RFC 7519, section 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member twice")
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_members)
