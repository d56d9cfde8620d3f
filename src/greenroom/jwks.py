"""JWKS: the keys that an issuer of access tokens publishes, at an address or in a file."""

import asyncio
import json
from contextlib import suppress
from http.client import HTTPException
from ipaddress import ip_address
from math import inf
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import Key, RSAKey, import_key

from greenroom.jwts import Keys
from greenroom.sealing import KeyFileInvalid

JWKS_BYTES_MAX = 256 * 1024
JWKS_KEYS_MAX = 64
RSA_BITS_MIN = 2048
FETCH_S = 5.0
JWKS_AGE_S = 600  # after this long a key that the issuer took back is gone
RELOOK_S = 30  # between looks for a key that we do not know: a flood of invented ones costs the issuer nothing
RETRY_S = 5  # after a look that failed
FILE_LOOK_S = 1


log = structlog.get_logger()


class KeySource(Protocol):
    """Where an issuer's keys come from. A change of keys is a new tuple; the same tuple is no change."""

    def current(self, at: float) -> Keys | None:
        """Return the keys as last read, None where never; may start a look that nobody waits for."""

    async def looked_again(self, at: float) -> Keys | None:
        """Return the keys after one more look, if one is allowed already."""


def key_source(jwks: str) -> KeySource:
    """Return the source at an https address, or at a path. Raises ValueError or KeyFileInvalid."""
    return JwksUrl(jwks) if "://" in jwks else JwksFile(Path(jwks))


def keys_of(content: bytes) -> Keys:
    """Return the public keys of a JWKS; what is no key of ours to use is passed over (RFC 7517, section 5).

    Raises ValueError where none is left.
    """
    try:
        entries = list(json.loads(content)["keys"])[:JWKS_KEYS_MAX]
    except (TypeError, KeyError, RecursionError):
        raise ValueError("not a JWKS") from None
    if not (keys := tuple(key for entry in entries if (key := _usable(entry)) is not None)):
        raise ValueError("no public key of a known kind in the JWKS")
    return keys


def _usable(entry: object) -> Key | None:
    """A shared secret signs as well as it checks, and a private key that is published signs for everyone."""
    if not isinstance(entry, dict) or entry.get("kty") == "oct" or "d" in entry:
        return None
    try:
        key = import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    return None if isinstance(key, RSAKey) and key.raw_value.key_size < RSA_BITS_MIN else key


class JwksFile:
    """Keys in a file, read again when it changes; while it is absent or broken the last ones count."""

    def __init__(self, path: Path) -> None:
        self._path, self._due = path, -inf
        try:
            self._mark, self._keys = _mark(path), keys_of(_read(path))
        except OSError as error:
            raise KeyFileInvalid(path, f"can't be read ({error.strerror})") from None
        except ValueError as error:
            raise KeyFileInvalid(path, str(error)) from None

    def current(self, at: float) -> Keys:
        """Return the keys; once in a second the file is looked at."""
        if at >= self._due:
            self._due = at + FILE_LOOK_S
            self._look()
        return self._keys

    async def looked_again(self, at: float) -> Keys:
        """Return the keys of this instant."""
        self._look()
        return self._keys

    def _look(self) -> None:
        try:
            if (mark := _mark(self._path)) != self._mark:
                self._mark, self._keys = mark, keys_of(_read(self._path))
        except (OSError, ValueError) as error:
            log.warning("jwks_unreadable", error=type(error).__name__)


def _mark(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file.read(JWKS_BYTES_MAX + 1))


def _bounded(content: bytes) -> bytes:
    if len(content) > JWKS_BYTES_MAX:
        raise ValueError(f"the JWKS is larger than {JWKS_BYTES_MAX} bytes")
    return content


class JwksUrl:
    """Keys that the issuer publishes, fetched every ten minutes; while it does not answer the last ones count."""

    def __init__(self, url: str, *, fetch_s: float = FETCH_S) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))):
            raise ValueError("GREENROOM_TOKEN_JWKS: an https address (http on loopback alone), or the path of a file")
        self._url, self._fetch_s = url, fetch_s
        self._content: bytes | None = None
        self._keys: Keys | None = None
        self._due = self._again = -inf
        self._look: asyncio.Task[None] | None = None

    def current(self, at: float) -> Keys | None:
        """Return the keys; those that are old are fetched anew, and nobody waits for it."""
        if at >= self._due:
            self._start(at)
        return self._keys

    async def looked_again(self, at: float) -> Keys | None:
        """Return the keys after the look that is under way, or a new one where the last is long enough ago."""
        if at >= self._again:
            self._start(at)
        if self._look is not None:
            await asyncio.shield(self._look)  # a caller who hangs up takes it from nobody else
        return self._keys

    def _start(self, at: float) -> None:
        if self._look is None or self._look.done():
            self._due, self._again = at + JWKS_AGE_S, at + RELOOK_S
            self._look = asyncio.create_task(self._fetch(at))

    async def _fetch(self, at: float) -> None:
        try:
            content = await _fetched(self._url, self._fetch_s)
            if content != self._content:
                self._keys, self._content = keys_of(content), content
        except (OSError, HTTPException, ValueError) as error:
            self._due = self._again = at + RETRY_S
            log.warning("jwks_unreachable", error=type(error).__name__)


def _is_here(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_PLAIN = build_opener(ProxyHandler({}), _NoRedirect)  # no redirects followed, no proxies heeded


async def _fetched(url: str, fetch_s: float) -> bytes:
    """Return the body of a plain GET. Raises OSError (TimeoutError, URLError), HTTPException or ValueError."""
    async with asyncio.timeout(fetch_s):
        return await asyncio.to_thread(_got, url, fetch_s)


def _got(url: str, fetch_s: float) -> bytes:
    request = Request(url, headers={"Accept": "application/jwk-set+json, application/json"})  # noqa: S310  # checked above
    with _PLAIN.open(request, timeout=fetch_s) as answer:
        return _bounded(answer.read(JWKS_BYTES_MAX + 1))
