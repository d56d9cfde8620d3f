"""Settings: everything that the environment decides, read once and frozen."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Setting(StrEnum):
    """What kind of place this is."""

    DEMO = "demo"  # a newcomer's machine: makes its own keys and signs its own tokens
    PRODUCTION = "production"


class Settings(BaseSettings):
    """All settings, each an environment variable `GREENROOM_<NAME>`.

    Raises pydantic.ValidationError where a production setting lacks what it must be given.
    """

    model_config = SettingsConfigDict(env_prefix="GREENROOM_", frozen=True, extra="ignore")

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
    public_url: str = Field(default="http://127.0.0.1:8000", description="Own address: `iss` of tickets.")

    token_issuer: str | None = Field(default=None, description="`iss` that access tokens must have.")
    token_audience: str = Field(default="greenroom", description="`aud` that access tokens must have.")
    token_jwks: str | None = Field(default=None, description="URL or file of the issuer's JWKS.")
    token_algorithms: tuple[str, ...] = Field(
        default=("EdDSA", "ES256", "RS256", "PS256"), description="Signature algorithms accepted."
    )
    token_accounts_claim: str = Field(default="accounts", description="Claim with the platform's ids of accounts.")
    token_permissions_claim: str = Field(default="permissions", description="Claim with permissions.")

    introspection: bool | None = Field(default=None, description="Allow introspection; on in demo, off elsewhere.")
    rate_points: int | None = Field(default=None, ge=1, description="Cost points in a caller's full bucket.")
    rate_points_per_s: int | None = Field(default=None, ge=1, description="Cost points that flow back each second.")

    @field_validator("token_algorithms")
    @classmethod
    def only_public_key_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A shared-secret or absent signature would let whoever reads the JWKS forge callers."""
        if wrong := [name for name in value if name == "none" or name.startswith("HS")]:
            raise ValueError(f"{', '.join(wrong)}: only public-key algorithms are accepted")
        return value

    @model_validator(mode="after")
    def production_is_given_its_keys(self) -> Self:
        """Keys that a process invents for itself are lost with it: outside the demo they must be given."""
        if self.setting is Setting.PRODUCTION:
            needed = ("database_url", "master_key_file", "ticket_key_file", "token_issuer", "token_jwks")
            if missing := [f"GREENROOM_{name.upper()}" for name in needed if getattr(self, name) is None]:
                raise ValueError(f"missing in the production setting: {', '.join(missing)}")
        return self

    @property
    def is_demo(self) -> bool:
        """A newcomer's machine."""
        return self.setting is Setting.DEMO

    @property
    def allows_introspection(self) -> bool:
        """The schema may be asked for."""
        return self.is_demo if self.introspection is None else self.introspection
