import base64
import binascii
from typing import Annotated, Any

from pydantic import ConfigDict, Field, SecretStr, StringConstraints, field_validator

from services.api.fields import HttpUrl, Moment, Sent, Slug, Tags, View
from shared.domain.flow import Flow

FLOW_DESCRIPTION = "Steps of one's own, in place of the automatic way; null: the automatic way."
ExpectedText = Annotated[str, StringConstraints(min_length=1, max_length=1000)]

EXAMPLE: dict[str, Any] = {
    "code": "acme",
    "name": "Acme Inc.",
    "active": True,
    "entry_point": "https://shop.acme.example/login",
    "credentials": {"username": "probe", "password": "correct horse battery", "totp_secret": None},
    "login": {"flow": None},
    "sso": {"enabled": True, "entry_point": "https://shop.acme.example/sso", "credentials": None, "flow": None},
    "product_page": {"url": "https://shop.acme.example/p/1", "expect_text": "Add to basket", "flow": None},
    "express_checkout": {"enabled": False, "entry_point": None, "expect_text": None, "flow": None},
    "wait_override_seconds": None,
    "tags": ["emea"],
    "notes": "",
}


class WithFlow(Sent):
    flow: Flow | None = Field(default=None, description=FLOW_DESCRIPTION)


class CredentialsSent(Sent):
    """Write-only: reading shows only which of them are set."""

    username: SecretStr = Field(min_length=1, max_length=500)
    password: SecretStr = Field(min_length=1, max_length=500)
    totp_secret: SecretStr | None = Field(
        default=None, min_length=8, max_length=500, description="Base32, as the site shows it for an authenticator app."
    )

    @field_validator("totp_secret")
    @classmethod
    def _is_base32(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            letters = secret.get_secret_value().replace(" ", "").replace("-", "").rstrip("=").upper()
            try:
                base64.b32decode(letters + "=" * (-len(letters) % 8))
            except (binascii.Error, ValueError):
                raise ValueError("must be base32 (letters A to Z, digits 2 to 7)") from None
        return secret

    def plain(self) -> dict[str, Any]:
        """In the clear, to be sealed."""
        secret = self.totp_secret
        return {
            "username": self.username.get_secret_value(),
            "password": self.password.get_secret_value(),
            "totp_secret": secret.get_secret_value() if secret else None,
        }


class Login(WithFlow):
    """How to log in at the entry point."""


class Sso(WithFlow):
    """Logging in through the partner's identity provider. The check itself is not available yet."""

    enabled: bool = False
    entry_point: HttpUrl | None = None
    credentials: CredentialsSent | None = Field(default=None, description="Null: the partner's own credentials.")


class ProductPage(WithFlow):
    """A page that must show something to buy."""

    url: HttpUrl
    expect_text: ExpectedText | None = None


class ExpressCheckout(WithFlow):
    """The way to the first step of the checkout, as somebody who is logged in."""

    enabled: bool = False
    entry_point: HttpUrl | None = None
    expect_text: ExpectedText | None = None


class PartnerSent(Sent):
    """A company whose site is checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    code: Slug = Field(description="Unique; never changes.")
    name: str = Field(min_length=1, max_length=200, pattern=r"\S")
    active: bool = Field(default=True, description="While false, nothing of it runs.")
    inactive_reason: str | None = Field(default=None, max_length=500, description="Kept only while it is not active.")
    entry_point: HttpUrl = Field(description="Where logging in starts.")
    credentials: CredentialsSent | None = None
    login: Login = Login()
    sso: Sso = Sso()
    product_page: ProductPage | None = None
    express_checkout: ExpressCheckout = ExpressCheckout()
    wait_override_seconds: float | None = Field(
        default=None, gt=0, le=300, description="How long to wait for the site's pages to settle, when not the default."
    )
    tags: Tags = Field(default_factory=list)
    notes: str = Field(default="", max_length=10_000)


class CredentialsView(View):
    """Which secrets are set; their values are never shown."""

    username_set: bool
    password_set: bool
    totp_secret_set: bool | None = Field(description="Null when no configured secret key opens what is stored.")


class LoginView(View):
    flow: Flow | None = None


class SsoView(View):
    enabled: bool = False
    entry_point: str | None = None
    credentials: CredentialsView
    flow: Flow | None = None


class ProductPageView(View):
    url: str
    expect_text: str | None = None
    flow: Flow | None = None


class ExpressCheckoutView(View):
    enabled: bool = False
    entry_point: str | None = None
    expect_text: str | None = None
    flow: Flow | None = None


class PartnerView(View):
    """A partner as it is read: everything that was sent, except secrets."""

    code: str
    name: str
    active: bool
    inactive_reason: str | None
    entry_point: str
    credentials: CredentialsView
    login: LoginView
    sso: SsoView
    product_page: ProductPageView | None
    express_checkout: ExpressCheckoutView
    wait_override_seconds: float | None
    tags: list[str]
    notes: str
    created_at: Moment
    updated_at: Moment


class PartnerPage(View):
    items: list[PartnerView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")
