"""Settings: everything that the environment decides, read once and frozen."""

import json
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# A process that invents its keys loses them: outside the demo they are given.
NEEDED: Final = ("database_url", "master_key_file", "ticket_key_file", "token_issuer", "token_jwks", "public_url")
URL_FORM: Final = (
    "needs the form postgresql://role:password@host:port/database, with / @ : # ? % in a password written as %2F %40 "
    "%3A %23 %3F %25; the value is not shown"
)
PUBLIC_URL_FORM: Final = (
    "needs the form https://host or https://host:port/path: no user, no ? or #, and no slash at its end; what stands "
    "here is the `iss` of tickets, letter by letter"
)
NEEDS_TLS: Final = "needs https in production: tickets and photos go to this address (http: this machine alone)"
ALGORITHMS_FORM: Final = "needs names with commas between them, such as EdDSA,RS256"
URL_PARAMETERS: Final = {"host", "port"}  # both drivers read these; the rest by PostgreSQL's variables


class Setting(StrEnum):
    """What kind of place this is."""

    DEMO = "demo"  # a newcomer's machine: makes its own keys and signs its own tokens
    PRODUCTION = "production"


class Settings(BaseSettings):
    """All settings, each an environment variable `GREENROOM_<NAME>`. Raises pydantic.ValidationError."""

    model_config = SettingsConfigDict(env_prefix="GREENROOM_", env_ignore_empty=True, frozen=True, extra="ignore")

    setting: Setting = Field(default=Setting.PRODUCTION, description="demo or production.")
    data_dir: Path = Field(default=Path(".greenroom"), description="Where the embedded PostgreSQL and demo keys live.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")

    database_url: SecretStr | None = Field(
        default=None, description="postgresql://… of the application's role; empty: the embedded PostgreSQL."
    )
    migration_url: SecretStr | None = Field(
        default=None, description="postgresql://… of the role that owns the tables; used by migrate alone."
    )
    listen_url: SecretStr | None = Field(
        default=None,
        description="postgresql://… of the application's role without a pooler between; empty: DATABASE_URL.",
    )
    write_connections_max: int = Field(default=8, ge=1, le=200, description="Connections for mutations, a process.")
    read_connections_max: int = Field(default=8, ge=1, le=200, description="Connections for queries, a process.")
    statement_timeout_ms: int = Field(default=5_000, ge=100, description="Longest statement.")
    lock_timeout_ms: int = Field(default=3_000, ge=100, description="Longest wait for a lock.")

    master_key_file: Path | None = Field(
        default=None, description="File with the master keys (`greenroom keys`), newest first; needed in production."
    )
    ticket_key_file: Path | None = Field(
        default=None, description="File with the Ed25519 keys (JWKS) that sign tickets; needed in production."
    )
    ticket_audience: str = Field(default="media-server", description="`aud` of tickets.")
    ticket_lifetime_s: int = Field(default=300, ge=30, le=3600, description="How long a ticket holds.")
    public_url: str = Field(
        default_factory=lambda given: address(given.get("host", ""), given.get("port", 0)),
        validate_default=False,  # it follows the host, which is looked at where we listen
        description="Own address, the `iss` of tickets; needed in production.",
    )

    documents_url: str | None = Field(
        default=None, description="s3://bucket/prefix where sealed photos rest; empty: the data directory."
    )

    token_issuer: str | None = Field(default=None, description="`iss` that access tokens must have.")
    token_audience: str = Field(default="greenroom", description="`aud` that access tokens must have.")
    token_jwks: str | None = Field(default=None, description="URL or file of the issuer's JWKS.")
    token_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("EdDSA", "ES256", "RS256", "PS256"), description="Signature algorithms accepted, commas between them."
    )
    token_accounts_claim: str = Field(default="accounts", description="Claim with the platform's ids of accounts.")
    token_permissions_claim: str = Field(default="permissions", description="Claim with permissions.")

    introspection: bool | None = Field(default=None, description="Allow introspection; on in demo, off elsewhere.")
    rate_points: int | None = Field(default=None, ge=1, description="Cost points in a caller's full bucket.")
    rate_points_per_s: int | None = Field(default=None, ge=1, description="Cost points that flow back each second.")
    subscriptions_max: int = Field(default=2_000, ge=1, le=20_000, description="Open subscriptions, a process.")
    subscriptions_of_actor_max: int = Field(
        default=100, ge=1, description="Open subscriptions of one caller, a process; and connections for them."
    )

    @field_validator("token_algorithms", mode="before")
    @classmethod
    def names_with_commas_or_json(cls, value: object) -> object:
        """As people write lists; and as JSON, as programs do."""
        if not isinstance(value, str):
            return value
        if not value.lstrip().startswith("["):
            return [name.strip() for name in value.split(",") if name.strip()]
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(ALGORITHMS_FORM) from None

    @field_validator("token_algorithms")
    @classmethod
    def at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """With none, nobody could come in."""
        if not value:
            raise ValueError(f"names none: {ALGORITHMS_FORM}")
        return value

    @field_validator("token_algorithms")
    @classmethod
    def only_public_key_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A shared-secret or absent signature would let whoever reads the JWKS forge callers."""
        if wrong := [name for name in value if name == "none" or name.startswith("HS")]:
            raise ValueError(f"{', '.join(wrong)}: only public-key algorithms are accepted")
        return value

    @field_validator("public_url")
    @classmethod
    def an_address_that_others_can_follow(cls, value: str, info: ValidationInfo) -> str:
        """Media servers compare it with `iss`, and photos are sent below it."""
        try:
            parts = urlsplit(value)
            has_form = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            (parts.hostname or "").encode("idna")
        except ValueError:
            raise ValueError(PUBLIC_URL_FORM) from None
        if not has_form or not value.isprintable() or any(sign in value for sign in "@?#\\ ") or value.endswith("/"):
            raise ValueError(PUBLIC_URL_FORM)
        is_open = parts.scheme == "http" and not is_loopback(parts.hostname or "")
        if is_open and info.data.get("setting") is Setting.PRODUCTION:
            raise ValueError(NEEDS_TLS)
        return value

    @field_validator("database_url", "listen_url", "migration_url")
    @classmethod
    def a_url_that_both_drivers_read_alike(cls, value: SecretStr | None) -> SecretStr | None:
        """What is wrong is told without the value: it holds a password, and perhaps not where it should."""
        if value is not None:
            url = value.get_secret_value()
            try:
                parts = urlsplit(url)
                (parts.hostname or "").encode("idna")
                has_form = parts.port != 0 and parts.netloc.count("@") < 2
            except ValueError:
                raise ValueError(URL_FORM) from None
            if not has_form or not url.startswith(("postgresql://", "postgres://")) or parts.fragment:
                raise ValueError(URL_FORM)
            if "@" in parts.path + parts.query:  # a password that was cut at its / or ?
                raise ValueError(URL_FORM)
            if not URL_PARAMETERS.issuperset(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
                raise ValueError("takes host and port as parameters; for TLS set PGSSLMODE and PGSSLROOTCERT")
        return value

    def missing(self, needed: Iterable[str] = NEEDED) -> list[str]:
        """Return the variables that a production setting must still be given."""
        given = self.model_dump(include=set(needed), exclude_unset=True, exclude_none=True)
        return [] if self.is_demo else [f"GREENROOM_{name.upper()}" for name in needed if name not in given]

    @property
    def is_demo(self) -> bool:
        """A newcomer's machine."""
        return self.setting is Setting.DEMO

    @property
    def allows_introspection(self) -> bool:
        """The schema may be asked for."""
        return self.is_demo if self.introspection is None else self.introspection


def is_loopback(host: str) -> bool:
    """Say whether a name or address is this machine's own, for itself alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def address(host: str, port: int) -> str:
    """Return where a browser on this machine finds what listens there."""
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # what listens everywhere
    return f"http://[{own}]:{port}" if ":" in own else f"http://{own}:{port}"
