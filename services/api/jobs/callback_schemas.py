"""What a job sends, as it is sent to us: the request, its secrets, and which answers count as success."""

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, field_validator

from services.api.fields import METHOD_PATTERN, HttpUrl, Sent, require_storable
from services.api.jobs.headers import MAX_HEADERS, require_headers, require_secret_headers
from shared.domain.callback import TEMPLATE_NAMES, parse_status_codes, unknown_templates
from shared.domain.signing_secret import parse_secret

MAX_PAYLOAD_BYTES = 64 * 1024
TEMPLATES = ", ".join(f"`{{{{{name}}}}}`" for name in TEMPLATE_NAMES)


class SuccessSent(Sent):
    """Which answers count as success."""

    status_codes: list[str] = Field(
        default=["200-299"], min_length=1, max_length=50, description="Codes and ranges, such as `304` and `200-299`."
    )
    body_contains: str | None = Field(default=None, min_length=1, max_length=1000)

    @field_validator("status_codes")
    @classmethod
    def _are_codes(cls, items: list[str]) -> list[str]:
        parse_status_codes(items)
        return items


class CallbackSent(Sent):
    callback_url: HttpUrl = Field(description=f"May hold {TEMPLATES} in its path and query.")
    http_method: Annotated[str, StringConstraints(pattern=METHOD_PATTERN), AfterValidator(str.lower)] = Field(
        default="post", description="get, post, put, patch, delete or head, in any case."
    )
    payload: Any = Field(default_factory=dict, description=f"Any JSON, at most 64 KB; its texts may hold {TEMPLATES}.")
    headers: dict[str, str] = Field(
        default_factory=dict, max_length=MAX_HEADERS, description=f"Their values may hold {TEMPLATES}."
    )
    secret_headers: dict[str, SecretStr] | None = Field(
        default=None,
        max_length=MAX_HEADERS,
        description="Write-only; each goes before a plain header of the same name.",
    )
    signing_secrets: list[SecretStr] | None = Field(
        default=None,
        max_length=3,
        description="Write-only; `whsec_` and Base64 of 24 to 64 bytes. All of them sign; the newest comes first.",
    )
    success: SuccessSent = SuccessSent()
    max_redirects: int = Field(default=5, ge=0, le=10)

    @field_validator("callback_url")
    @classmethod
    def _templates_in_the_path(cls, url: str) -> str:
        parts = urlsplit(url)
        if any(brace in parts.netloc.upper() for brace in ("{", "}", "%7B", "%7D")):
            raise ValueError("may hold templates in its path and query only")
        _require_templates(url)
        return url

    @field_validator("payload")
    @classmethod
    def _small_enough(cls, payload: Any) -> Any:
        require_storable(payload)
        if len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_PAYLOAD_BYTES:
            raise ValueError("must be at most 64 KB of JSON")
        _require_templates(payload)
        return payload

    @field_validator("headers")
    @classmethod
    def _plain(cls, headers: dict[str, str]) -> dict[str, str]:
        require_headers(headers)
        return headers

    @field_validator("secret_headers")
    @classmethod
    def _secret(cls, headers: dict[str, SecretStr] | None) -> dict[str, SecretStr] | None:
        require_secret_headers({name: value.get_secret_value() for name, value in (headers or {}).items()})
        return headers

    @field_validator("signing_secrets")
    @classmethod
    def _well_formed(cls, secrets: list[SecretStr] | None) -> list[SecretStr] | None:
        keys = [parse_secret(secret.get_secret_value()) for secret in secrets or ()]
        if len(set(keys)) < len(keys):
            raise ValueError("must hold each secret once")
        return secrets

    def plain_secret_headers(self) -> dict[str, str]:
        """In the clear, to be sealed."""
        return {name: value.get_secret_value() for name, value in (self.secret_headers or {}).items()}

    def plain_signing_secrets(self) -> list[str]:
        """In the clear, to be sealed."""
        return [secret.get_secret_value() for secret in self.signing_secrets or ()]


def _require_templates(value: Any) -> None:
    unknown = unknown_templates(value)
    if unknown:
        raise ValueError(f"holds unknown templates: {', '.join(unknown)}; known are {', '.join(TEMPLATE_NAMES)}")
