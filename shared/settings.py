"""The settings that every process has, from the environment. Each service adds its own in its `settings.py`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.address_guard import AddressGuard


@contextmanager
def errors_told() -> Iterator[None]:
    """What is wrong with the settings goes to stderr, a line each, and ends the process with 2.

    The values themselves are never told: they may be secret.
    """
    try:
        yield
    except ValidationError as error:
        for item in error.errors(include_input=False):
            name = f"PARAKEET_{'.'.join(map(str, item['loc'])).upper()}: " if item["loc"] else ""
            print(f"{name}{item['msg']}", file=sys.stderr)
        sys.exit(2)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


class Settings(BaseSettings):
    """Read from `PARAKEET_...`. Required values have no default."""

    model_config = SettingsConfigDict(env_prefix="PARAKEET_", extra="ignore", frozen=True)

    database_url: str = Field(description="PostgreSQL 14 or newer: postgresql+asyncpg://user:password@host/database")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"

    @field_validator("database_url")
    @classmethod
    def _use_asyncpg(cls, url: str) -> str:
        for plain in ("postgres://", "postgresql://"):
            if url.startswith(plain):
                return "postgresql+asyncpg://" + url.removeprefix(plain)
        if not url.startswith("postgresql+asyncpg://"):
            raise ValueError("must be a PostgreSQL URL, postgresql://user:password@host:port/database")
        return url


class SecretSettings(BaseSettings):
    """The keys that encrypt credentials at rest: the first encrypts, all decrypt, so that keys can be rotated."""

    model_config = SettingsConfigDict(env_prefix="PARAKEET_", extra="ignore", frozen=True)

    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    secret_keys_file: Path | None = None

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return _items(value)

    def keys(self) -> list[str]:
        """The Fernet keys in order. Raises ValueError when there is none, or one is not a Fernet key."""
        found = [key.get_secret_value() for key in self.secret_keys]
        if not found and self.secret_keys_file is not None:
            found = self.secret_keys_file.read_text().split()
        if not found:
            raise ValueError("set PARAKEET_SECRET_KEYS or PARAKEET_SECRET_KEYS_FILE: credentials are encrypted at rest")
        for number, key in enumerate(found, 1):
            try:
                Fernet(key)
            except ValueError:
                raise ValueError(f"secret key {number} is not a Fernet key (32 bytes, URL-safe base64)") from None
        return found


class CallbackSettings(BaseSettings):
    """Where callbacks may be sent although the address is not a public one; the form of each item: `AddressGuard`."""

    model_config = SettingsConfigDict(env_prefix="PARAKEET_", extra="ignore", frozen=True)

    callback_allow: Annotated[tuple[str, ...], NoDecode] = ()

    # Not the name of another class's validator: a service that inherits both would have only one of them.
    @field_validator("callback_allow", mode="before")
    @classmethod
    def _split_allowed(cls, value: object) -> object:
        return _items(value)

    @field_validator("callback_allow")
    @classmethod
    def _understood(cls, items: tuple[str, ...]) -> tuple[str, ...]:
        AddressGuard(items)
        return items


class EvidenceSettings(BaseSettings):
    """Where evidence lies: a folder that the processes share, or a bucket of an S3-compatible store.

    Without keys the S3 client looks where it always does: its own variables, its files, the machine's role.
    """

    model_config = SettingsConfigDict(env_prefix="PARAKEET_", extra="ignore", frozen=True)

    evidence_store: Literal["folder", "s3"] = "folder"
    evidence_dir: Path = Path(".parakeet/evidence")
    evidence_s3_bucket: str | None = None
    evidence_s3_prefix: str = Field("", max_length=200)
    evidence_s3_endpoint_url: str | None = None
    evidence_s3_region: str | None = None
    evidence_s3_access_key: SecretStr | None = None
    evidence_s3_secret_key: SecretStr | None = None

    @field_validator(
        "evidence_s3_bucket",
        "evidence_s3_endpoint_url",
        "evidence_s3_region",
        "evidence_s3_access_key",
        "evidence_s3_secret_key",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _complete(self) -> "EvidenceSettings":
        if self.evidence_store == "s3":
            if self.evidence_s3_bucket is None:
                raise ValueError("PARAKEET_EVIDENCE_S3_BUCKET is needed for the store s3")
            if (self.evidence_s3_access_key is None) is not (self.evidence_s3_secret_key is None):
                raise ValueError("PARAKEET_EVIDENCE_S3_ACCESS_KEY and PARAKEET_EVIDENCE_S3_SECRET_KEY: both or neither")
            if find_spec("boto3") is None:
                raise ValueError("PARAKEET_EVIDENCE_STORE=s3 needs the package boto3, which the Docker image has")
        return self


def _items(value: object) -> object:
    """What is separated by commas, in order."""
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value
