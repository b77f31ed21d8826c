"""What can be chosen when everything runs in one process; what is not given is embedded."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmbeddedSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PARAKEET_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    data_dir: Path = Path(".parakeet")
    demo: Literal["on", "off"] = "on"
    database_url: str | None = None
    redis_url: str | None = None
    webdriver_url: str | None = None
