"""Sealing: personal text encrypted at rest, under a key per anchor, under a master key; and hashes to know it again.

SealingError
├── KeyFileInvalid      the file with the keys is absent, or is no such file
├── MasterKeyMissing    wrapped under a master key that the file does not have
└── NotAuthentic        changed, or moved to another row or column
"""

import fcntl
import hmac
import json
import os
import re
import secrets
import tempfile
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol, Self, get_args
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from greenroom.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
LAYOUT = b"\x01"  # first byte of all that is encrypted: version, nonce, ciphertext with tag
KEY_FILE_BYTES_MAX = 64 * 1024
FILE_NAME = "master-keys.json"

Kind = Literal["email", "input", "name", "passport", "subject"]


class SealingError(Exception):
    """What is sealed can't be opened. Its text is for the operator, and free of keys and of personal data."""


class KeyFileInvalid(SealingError):
    """The file with the keys is absent, or is no such file."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path}: {found}. Put the file back from its backup, or make one with `greenroom keys`.")


class MasterKeyMissing(SealingError):
    """Wrapped under a master key that the file does not have."""

    def __init__(self, master_key_id: str) -> None:
        super().__init__(
            f"The master key {master_key_id!r} is not in the key file. Put its entry back from the file's backup, "
            "behind the newest: without it what it wrapped stays closed for good."
        )


class NotAuthentic(SealingError):
    """Changed, or moved to another row or column."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} does not open: it was changed, moved to another row or column, or its key is another. "
            "Restore the row and its wrapped key from the same backup, and find out who wrote to the table."
        )


class Seal:
    """Encrypts the text of one anchor under the anchor's data key: erasing that key erases the text.

    AES-256-GCM-SIV (RFC 8452): a nonce used twice, as a cloned machine may do, costs plain GCM its key, and here
    shows only that two texts are equal. The price is 1.3 µs a value. Account, anchor and column are bound in.
    """

    def __init__(self, data_key: bytes) -> None:
        self._cipher = AESGCMSIV(data_key)

    def seal(self, text: str, *, account_id: UUID, anchor_id: UUID, column: str) -> bytes:
        """Return `text` as 29 bytes more than its UTF-8."""
        return _encrypted(self._cipher, text.encode(), bound=_place("column", account_id, anchor_id, column))

    def open(self, sealed: bytes, *, account_id: UUID, anchor_id: UUID, column: str) -> str:
        """Return the text. Raises NotAuthentic where it was sealed for another place, or changed."""
        place = _place("column", account_id, anchor_id, column)
        return _decrypted(self._cipher, sealed, bound=place, what=f"A value of {column}").decode()


def new_data_key() -> bytes:
    """Return 256 random bits."""
    return secrets.token_bytes(KEY_BYTES)


class KeyWrapping(Protocol):
    """Who keeps the master keys: a file here, or a KMS; awaited, since a KMS is a call over the network."""

    @property
    def current_id(self) -> str:
        """The master key that wraps from now on."""

    async def wrap(self, data_key: bytes, *, context: bytes) -> tuple[str, bytes]:
        """Return the id of the master key and the data key wrapped under it, bound to `context`."""

    async def unwrap(self, master_key_id: str, wrapped: bytes, *, context: bytes) -> bytes:
        """Return the data key. Raises MasterKeyMissing or NotAuthentic."""


def context_of(account_id: UUID, anchor_id: UUID) -> bytes:
    """Return what a wrapped data key is bound to: it unwraps for this anchor alone."""
    return _place("data-key", account_id, anchor_id, "")


class Pepper:
    """Keyed hashes that know a text again without keeping it; the key outlives every rotation (X10)."""

    def __init__(self, secret: bytes) -> None:
        self._keys = {kind: _derived(secret, f"greenroom.fingerprint:{kind}") for kind in get_args(Kind)}
        self.links_key = _derived(secret, "greenroom.links")  # the same in all processes, as this file is

    def fingerprint(self, kind: Kind, *parts: str) -> bytes:
        """Return 32 bytes, HMAC-SHA-256: equal where the parts differ only in case, width, spaces or the invisible.

        What must not be matched across accounts takes the account's id as one of the parts.
        """
        content = b"\x00".join(normal(part).encode() for part in parts)
        return hmac.digest(self._keys[kind], content, "sha256")

    def digest(self, content: bytes) -> bytes:
        """Return 32 bytes, HMAC-SHA-256: equal for equal content alone."""
        return hmac.digest(self._keys["input"], content, "sha256")


def normal(text: str) -> str:
    """Return `text` as it is compared: NFKC and casefold, without spaces, controls and what can't be seen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    seen = (c for c in folded if unicodedata.category(c) not in _NOT_WRITTEN)
    return unicodedata.normalize("NFKC", _IGNORABLE.sub("", "".join(seen)))


_NOT_WRITTEN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
# Ignorable by Unicode (Default_Ignorable_Code_Point), yet of the categories of letters and marks.
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


class MasterKeys:
    """Master keys and pepper in one JSON file, newest key first: `{"pepper": b64, "keys": [{"id", "key": b64}]}`."""

    def __init__(self, path: Path, content: bytes) -> None:
        pepper, keys = _contents(path, content)
        self._path, self._ciphers, self.pepper = path, _ciphers(keys), Pepper(pepper)
        self._mark: tuple[int, int] | None = None  # of the file as last read again: the first wrap does

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the keys given; the demo setting makes its own. Raises KeyFileInvalid."""
        if settings.master_key_file is not None:
            return cls.load(settings.master_key_file)
        if not settings.is_demo:
            raise KeyFileInvalid(Path("GREENROOM_MASTER_KEY_FILE"), "not set")
        return cls.at(settings.data_dir)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file. Raises KeyFileInvalid."""
        return cls(path, read_key_file(path))

    @classmethod
    def at(cls, data_dir: Path) -> Self:
        """Return the keys of a data directory, made by whoever asks first."""
        return cls.make(data_dir / FILE_NAME)

    @classmethod
    def make(cls, path: Path) -> Self:
        """Return the keys in `path`, made there, mode 0600, where there are none. Raises KeyFileInvalid."""
        return cls(path, made_once(path, lambda: _written(secrets.token_bytes(KEY_BYTES), [_new_key()])))

    @property
    def current_id(self) -> str:
        """The newest key."""
        return next(iter(self._ciphers))

    @property
    def ids(self) -> tuple[str, ...]:
        """All keys, newest first."""
        return tuple(self._ciphers)

    async def wrap(self, data_key: bytes, *, context: bytes) -> tuple[str, bytes]:
        """Wrap under the newest key of the file: a rotation beside us would never end if we went on with the last."""
        if _mark(self._path) not in (None, self._mark):
            with suppress(KeyFileInvalid):  # broken under us: what was read of it still counts
                self._read_again()
        return self.current_id, _encrypted(self._ciphers[self.current_id], data_key, bound=context)

    async def unwrap(self, master_key_id: str, wrapped: bytes, *, context: bytes) -> bytes:
        """Unwrap; an unknown id means that `greenroom keys rotate` ran beside us, so the file is read again."""
        if master_key_id not in self._ciphers:
            self._read_again()
        if (cipher := self._ciphers.get(master_key_id)) is None:
            raise MasterKeyMissing(master_key_id)
        return _decrypted(cipher, wrapped, bound=context, what="A wrapped data key")

    def _read_again(self) -> None:
        mark = _mark(self._path)  # before the content: what comes between is read once more
        self._ciphers = _ciphers(_contents(self._path, read_key_file(self._path))[1])
        self._mark = mark


def rotate(path: Path) -> str:
    """Put a new master key before the others in the file, in one step that no reader sees half done; return its id.

    The old keys stay, so all that they wrapped still opens, and the pepper stays. Raises KeyFileInvalid.
    """
    target = path.resolve()  # where `path` is a link, the link stays
    with _alone_in(target.parent):
        pepper, keys = _contents(target, read_key_file(target))
        new = _new_key()
        _replace(target, _written(pepper, [new, *keys]))
    return new[0]


def read_key_file(path: Path) -> bytes:
    """Return the content of a file with keys. Raises KeyFileInvalid."""
    try:
        with path.open("rb") as file:
            content = file.read(KEY_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileInvalid(path, f"can't be read ({error.strerror})") from None
    if len(content) > KEY_FILE_BYTES_MAX:
        raise KeyFileInvalid(path, f"larger than {KEY_FILE_BYTES_MAX} bytes")
    return content


def made_once(path: Path, content: Callable[[], bytes]) -> bytes:
    """Return what is in `path`; the first of all who ask makes it, mode 0600, and nobody sees it half written."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        spare = _beside(path, content())
        try:
            with suppress(FileExistsError):  # another was first: theirs counts
                os.link(spare, path)
        finally:
            spare.unlink()
        _settle(path.parent)
    return read_key_file(path)


def _replace(path: Path, content: bytes) -> None:
    spare, was = _beside(path, content), path.stat()
    with suppress(PermissionError):  # only root may give a file away; anybody else is its owner already
        os.chown(spare, was.st_uid, was.st_gid)
    spare.chmod(was.st_mode & 0o777)  # the server may read as another user or group than the operator
    spare.replace(path)
    _settle(path.parent)


def _beside(path: Path, content: bytes) -> Path:
    """Return a new file, mode 0600, in the directory of `path`, with its content on the disk."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return Path(name)


def _settle(directory: Path) -> None:
    """A key that a crash takes back would close for good what was committed under it."""
    with _opened(directory) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two rotations at once would each drop the other's key."""
    with _opened(directory) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _contents(path: Path, content: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return the pepper and the keys with their ids, newest first."""
    try:
        held: dict[str, Any] = json.loads(content)
        pepper = _key_bytes(held["pepper"])
        keys = [(str(entry["id"]), _key_bytes(entry["key"])) for entry in held["keys"]]
    except (ValueError, TypeError, KeyError):
        raise KeyFileInvalid(path, "not a file of master keys") from None
    if not keys or len({key_id for key_id, _ in keys}) < len(keys):
        raise KeyFileInvalid(path, "no master key in it, or two of one id")
    return pepper, keys


def _key_bytes(text: str) -> bytes:
    key = b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("not 256 bit")
    return key


def _written(pepper: bytes, keys: list[tuple[str, bytes]]) -> bytes:
    entries = [{"id": key_id, "key": b64encode(key).decode()} for key_id, key in keys]
    return json.dumps({"pepper": b64encode(pepper).decode(), "keys": entries}, indent=2).encode() + b"\n"


def _new_key() -> tuple[str, bytes]:
    return secrets.token_hex(8), secrets.token_bytes(KEY_BYTES)


def _mark(path: Path) -> tuple[int, int] | None:
    """Return what changes with the file; None where it can't be seen, and what was read of it counts."""
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_ino
    return None


def _ciphers(keys: list[tuple[str, bytes]]) -> dict[str, AESGCMSIV]:
    return {key_id: AESGCMSIV(key) for key_id, key in keys}


def _derived(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)


def _place(purpose: str, account_id: UUID, anchor_id: UUID, column: str) -> bytes:
    """Ids have one length and stand first, so two places never read the same."""
    return account_id.bytes + anchor_id.bytes + f"greenroom.{purpose}:{column}".encode()


def _encrypted(cipher: AESGCMSIV, plain: bytes, *, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return LAYOUT + nonce + cipher.encrypt(nonce, plain, bound)


def _decrypted(cipher: AESGCMSIV, sealed: bytes, *, bound: bytes, what: str) -> bytes:
    start = len(LAYOUT) + NONCE_BYTES
    if len(sealed) < start + TAG_BYTES or not sealed.startswith(LAYOUT):
        raise NotAuthentic(what)
    try:
        return cipher.decrypt(sealed[len(LAYOUT) : start], sealed[start:], bound)
    except InvalidTag:
        raise NotAuthentic(what) from None
