from typing import Literal

from pydantic import Field

from shared.settings import CallbackSettings, EvidenceSettings, SecretSettings, Settings


class ApiSettings(Settings, SecretSettings, CallbackSettings, EvidenceSettings):
    """What the API needs besides the database, the secret keys and where callbacks may be sent."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    auth: Literal["on", "off"] = "on"
    webdriver_url: str | None = None
    amqp_url: str | None = None
    redis_url: str | None = None
