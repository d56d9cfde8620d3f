"""JWTs: the strict reading of any signed token, and the writing of ours."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, nan
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, OKPKey
from joserfc.jws import JWSRegistry

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
