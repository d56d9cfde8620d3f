"""Tokens: who a caller is, as a JWT says that an issuer we trust has signed."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self, TypeGuard
from uuid import UUID

import structlog
from joserfc.jwk import OKPKey

from greenroom.access import Actor, Permission, account_id_of
from greenroom.jwks import KeySource, key_source, keys_of
from greenroom.jwts import (
    JWT_BYTES_MAX,
    LEEWAY_S,
    Fault,
    Jwt,
    Keys,
    audience_fault,
    named,
    parsed,
    signature_fault,
    time_fault,
    validity,
    written,
)
from greenroom.sealing import KeyFileInvalid, made_once
from greenroom.settings import Settings
from greenroom.tickets import new_key, signing_key

ACCOUNTS_MAX = 100
ID_LENGTH_MAX = 255  # of sub (OpenID Connect Core 1.0, section 2), and of the platform's ids
REMEMBERED_MAX = 2_048  # checked tokens, at most 18 KB each: an agency's hundred accounts

SIGNATURES = frozenset(
    {"EdDSA", "Ed25519"} | {f"{family}{bits}" for family in ("ES", "RS", "PS") for bits in (256, 384, 512)}
)
TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # RFC 9068; our tickets are of another type
CHALLENGE = 'Bearer realm="greenroom"'  # for a caller who showed nothing where something is needed
DEMO_ISSUER = "greenroom-demo"
FILE_NAME = "demo-signer.json"

log = structlog.get_logger()

SAID: dict[Fault, tuple[str, str]] = {
    Fault.MALFORMED: (
        "Send 'Authorization: Bearer' and one signed JWT; this is none.",
        "请以 Authorization: Bearer 发送一个已签名的 JWT，当前内容无法识别。",
    ),
    Fault.TOO_LARGE: ("The token is larger than 8 KiB.", "令牌超过 8 KiB。"),
    Fault.HEADER_REFUSED: (
        "The token's header brings a key or an extension of its own; neither is accepted.",
        "令牌头部自带密钥或扩展，不予接受。",
    ),
    Fault.ALGORITHM_REFUSED: (
        "The token's algorithm is not accepted, or does not fit its key.",
        "令牌的签名算法不被接受，或与密钥不符。",
    ),
    Fault.WRONG_TYPE: ("This is another kind of token: send an access token.", "令牌类型不符，请使用访问令牌。"),
    Fault.WRONG_ISSUER: ("The token's issuer is not trusted here.", "令牌的签发方不受信任。"),
    Fault.WRONG_AUDIENCE: ("The token was made for another service.", "该令牌是签发给其他服务的。"),
    Fault.UNKNOWN_KEY: ("The issuer publishes no such key: get a new token.", "签发方未公布该密钥，请重新获取令牌。"),
    Fault.WRONG_SIGNATURE: ("The token's signature is wrong.", "令牌签名错误。"),
    Fault.EXPIRED: ("The token has expired: get a new one.", "令牌已过期，请重新获取。"),
    Fault.NOT_YET_VALID: (
        "The token is not valid yet: check the clock of the machine that made it.",
        "令牌尚未生效，请检查签发机器的时钟。",
    ),
    Fault.WRONG_CLAIMS: (
        "A claim is missing or of the wrong kind: exp and sub are required, accounts are at most 100.",
        "令牌缺少声明或声明格式有误：exp 与 sub 必填，账号最多 100 个。",
    ),
    Fault.ISSUER_UNREACHABLE: (
        "Tokens can't be checked now, their issuer does not answer: try again in a few seconds.",
        "签发方暂时无法访问，无法校验令牌，请稍后重试。",
    ),
}


@dataclass(frozen=True, slots=True)
class BadToken:
    """What the caller showed does not say who they are: answer with `status` and, in WWW-Authenticate, `challenge`."""

    reason: Fault

    @property
    def code(self) -> str:
        """The public code."""
        return f"TOKEN_{self.reason}"

    @property
    def status(self) -> int:
        """401, or 503 where the caller can't help it."""
        return 503 if self.reason is Fault.ISSUER_UNREACHABLE else 401

    @property
    def challenge(self) -> str:
        """RFC 6750, section 3."""
        return f'{CHALLENGE}, error="invalid_token", error_description="{SAID[self.reason][0]}"'

    def message(self, language: str) -> str:
        """Return the sentence in zh, or else in en; nothing of the token is in it."""
        en, zh = SAID[self.reason]
        return zh if language.startswith("zh") else en


@dataclass(frozen=True, slots=True)
class Seen:
    """A token that was checked: whom it names, between which instants, and under which keys."""

    actor: Actor
    since: float
    until: float
    source: KeySource
    keys: Keys


class Tokens:
    """Checks bearer tokens. What was checked is remembered by its SHA-256, until it expires or the keys change."""

    def __init__(
        self,
        issuers: Mapping[str, KeySource],
        *,
        audience: str,
        algorithms: Sequence[str],
        accounts_claim: str = "accounts",
        permissions_claim: str = "permissions",
    ) -> None:
        if not algorithms or not SIGNATURES.issuperset(algorithms):
            raise ValueError(f"token algorithms: one or more of {', '.join(sorted(SIGNATURES))}")
        self._issuers, self._audience, self._algorithms = dict(issuers), audience, frozenset(algorithms)
        self._accounts_claim, self._permissions_claim = accounts_claim, permissions_claim
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the checker of these settings; in the demo setting, and only there, it knows the demo signer.

        Raises ValueError where an issuer takes that signer's name or its keys are no file and no https address, and
        KeyFileInvalid where the file has no keys.
        """
        issuers: dict[str, KeySource] = {}
        if settings.token_issuer == DEMO_ISSUER:
            raise ValueError(f"GREENROOM_TOKEN_ISSUER: {DEMO_ISSUER} is the name of the demo's own signer; name yours")
        if settings.token_issuer and settings.token_jwks:
            issuers[settings.token_issuer] = key_source(settings.token_jwks)
        if settings.is_demo:
            issuers[DEMO_ISSUER] = DemoSigner.of(settings)
        return cls(
            issuers,
            audience=settings.token_audience,
            algorithms=settings.token_algorithms,
            accounts_claim=settings.token_accounts_claim,
            permissions_claim=settings.token_permissions_claim,
        )

    async def actor(self, header: str | None, *, now: datetime) -> Actor | BadToken | None:
        """Return whom the Authorization header names; None where there is none."""
        if header is None:
            return None
        if not header.isascii():
            return BadToken(Fault.MALFORMED)
        if len(header) > len("Bearer ") + JWT_BYTES_MAX:
            return BadToken(Fault.TOO_LARGE)
        at, digest = now.timestamp(), sha256(header.encode()).digest()
        seen = self._seen.get(digest)
        if seen is not None and seen.since <= at < seen.until and seen.source.current(at) is seen.keys:
            self._seen.move_to_end(digest)
            return seen.actor
        return self._remember(digest, await self._checked(header, at))

    def _remember(self, digest: bytes, found: Seen | Fault) -> Actor | BadToken:
        if isinstance(found, Fault):
            self._seen.pop(digest, None)
            return BadToken(found)
        self._seen[digest] = found
        if len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return found.actor

    async def _checked(self, header: str, at: float) -> Seen | Fault:
        scheme, _, token = header.partition(" ")
        jwt = parsed(token) if scheme.lower() == "bearer" else Fault.MALFORMED
        if isinstance(jwt, Fault):
            return jwt
        if fault := self._header_fault(jwt):
            return fault
        issuer = jwt.claims.get("iss")
        if not isinstance(issuer, str) or (source := self._issuers.get(issuer)) is None:
            return Fault.WRONG_ISSUER
        if (keys := await _keys_for(jwt, source, at)) is None:
            return Fault.ISSUER_UNREACHABLE
        if fault := signature_fault(jwt, keys) or audience_fault(jwt.claims, self._audience):
            return fault
        return time_fault(jwt.claims, at) or self._seen_in(jwt, source, keys)

    def _header_fault(self, jwt: Jwt) -> Fault | None:
        kind = jwt.header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in TOKEN_TYPES:
            return Fault.WRONG_TYPE
        return None if jwt.algorithm in self._algorithms else Fault.ALGORITHM_REFUSED

    def _seen_in(self, jwt: Jwt, source: KeySource, keys: Keys) -> Seen | Fault:
        subject, name, span = jwt.claims.get("sub"), jwt.claims.get("name"), validity(jwt.claims)
        accounts = _accounts(jwt.claims.get(self._accounts_claim))
        permissions = _permissions(jwt.claims.get(self._permissions_claim))
        if not _is_id(subject) or span is None or accounts is None or permissions is None:
            return Fault.WRONG_CLAIMS
        actor = Actor(subject, accounts, permissions, name if _is_id(name) else None)
        return Seen(actor, span[0] - LEEWAY_S, span[1], source, keys)


async def _keys_for(jwt: Jwt, source: KeySource, at: float) -> Keys | None:
    keys = source.current(at)
    return keys if keys is not None and named(jwt, keys) else await source.looked_again(at)


def _is_id(value: object) -> TypeGuard[str]:
    """A string that logs and messages can carry."""
    return isinstance(value, str) and 0 < len(value) <= ID_LENGTH_MAX and value.isprintable()


def _accounts(claim: object) -> frozenset[UUID] | None:
    ids: list[object] = [] if claim is None else claim if isinstance(claim, list) else [claim]
    if len(ids) > ACCOUNTS_MAX or not all(_is_id(each) for each in ids):
        return None
    return frozenset(account_id_of(str(each)) for each in ids)


def _permissions(claim: object) -> frozenset[Permission] | None:
    """Issuers put words of other services beside ours, so what is unknown is passed over."""
    words = [] if claim is None else claim.split(" ") if isinstance(claim, str) else claim
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    return frozenset(Permission(word) for word in words if word in Permission.__members__)


class DemoSigner:
    """Signs tokens on a newcomer's machine. `Tokens.of` knows its key in the demo setting and nowhere else."""

    def __init__(
        self, key: OKPKey, *, accounts_claim: str = "accounts", permissions_claim: str = "permissions"
    ) -> None:
        self._key, self._keys = key, keys_of(json.dumps({"keys": [key.as_dict(private=False)]}).encode())
        self._accounts_claim, self._permissions_claim = accounts_claim, permissions_claim

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the signer of a demo setting. Raises ValueError in any other."""
        if not settings.is_demo:
            raise ValueError("Only the demo setting signs tokens of its own: get one from your issuer")
        return cls(
            _demo_key(settings.data_dir),
            accounts_claim=settings.token_accounts_claim,
            permissions_claim=settings.token_permissions_claim,
        )

    @staticmethod
    def is_made(settings: Settings) -> bool:
        """Say whether a demo has made its key here."""
        return (settings.data_dir / FILE_NAME).exists()

    @classmethod
    def at(cls, data_dir: Path) -> Self:
        """Return the signer of a data directory, its key made by whoever asks first. Raises KeyFileInvalid."""
        return cls(_demo_key(data_dir))

    def sign(
        self,
        subject: str,
        *,
        name: str | None = None,
        accounts: Sequence[str] = (),
        permissions: Sequence[Permission] = (),
        expires_in: timedelta,
        audience: str,
        now: datetime,
    ) -> str:
        """Return a token for these accounts, by the platform's ids, and permissions."""
        made = int(now.timestamp())
        claims = {"iss": DEMO_ISSUER, "aud": audience, "sub": subject, "iat": made}
        claims["exp"] = made + int(expires_in.total_seconds())
        claims |= {self._accounts_claim: list(accounts), self._permissions_claim: [str(each) for each in permissions]}
        return written({"typ": "at+jwt"}, claims | ({"name": name} if name else {}), key=self._key)

    def current(self, at: float) -> Keys:
        """Return its one public key."""
        return self._keys

    async def looked_again(self, at: float) -> Keys:
        """Return its one public key."""
        return self._keys


def _demo_key(data_dir: Path) -> OKPKey:
    path = data_dir / FILE_NAME
    try:
        return signing_key(json.loads(made_once(path, lambda: json.dumps(new_key()).encode())))
    except ValueError:
        raise KeyFileInvalid(path, "not a private Ed25519 key") from None
