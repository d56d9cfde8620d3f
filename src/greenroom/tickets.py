"""Tickets: minutes of leave to broadcast that a media server can check by itself."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from greenroom.jwts import Fault, Jwt, audience_fault, parsed, signature_fault, time_fault, validity, written
from greenroom.sealing import KeyFileInvalid, made_once, read_key_file
from greenroom.settings import Settings

FILE_NAME = "ticket-keys.json"
TICKET_TYPE = "greenroom-ticket+jwt"  # no access token is of this type, and a ticket is of no other (RFC 8725, 3.11)


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

    def _fault(self, jwt: Jwt, at: float) -> Fault | None:
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
