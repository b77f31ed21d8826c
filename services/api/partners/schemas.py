from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from services.api.fields import Moment, PageUrl, Sent, Slug, Tags, View
from shared.domain.flow import Flow
from shared.domain.totp import read_totp_secret

FLOW_DESCRIPTION = "Steps of one's own, in place of the automatic way; null: the automatic way."
MarkerText = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")]
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
        default=None,
        min_length=8,
        max_length=1000,
        description="Base32, as the site shows it for an authenticator app; or an `otpauth://totp/...` address, which "
        "may name an algorithm (SHA1, SHA256, SHA512), 6 to 8 digits and a period.",
    )

    @field_validator("totp_secret")
    @classmethod
    def _makes_codes(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            read_totp_secret(secret.get_secret_value())
        return secret

    def plain(self) -> dict[str, Any]:
        """In the clear, to be sealed."""
        secret = self.totp_secret
        return {
            "username": self.username.get_secret_value(),
            "password": self.password.get_secret_value(),
            "totp_secret": secret.get_secret_value() if secret else None,
        }


class SignedInMarker(Sent):
    """What only somebody who is logged in sees. Exactly one of both."""

    text: MarkerText | None = Field(default=None, description="A text of the page, in upper or lower case.")
    css: MarkerText | None = Field(default=None, description="A CSS selector of a visible element.")

    @field_validator("css")
    @classmethod
    def _may_be_a_selector(cls, css: str | None) -> str | None:
        # Whether it is one, only a browser can tell; these slips are the common ones.
        if css is not None and (css.startswith("/") or any(css.count(a) != css.count(b) for a, b in ("()", "[]"))):
            raise ValueError("must be a CSS selector")
        return css

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.css is None):
            raise ValueError("needs either text or css")
        return self


class WithMarker(WithFlow):
    signed_in_marker: SignedInMarker | None = Field(
        default=None, description="Null: whether the log-in succeeded is judged by what the site shows and keeps."
    )


class Login(WithMarker):
    """How to log in at the entry point."""


class Sso(WithMarker):
    """Logging in through the partner's identity provider, which is followed to its host and back."""

    enabled: bool = False
    entry_point: PageUrl | None = Field(default=None, description="Where it starts. Null: at the partner's.")
    credentials: CredentialsSent | None = Field(default=None, description="Null: the partner's own credentials.")


class ProductPage(WithFlow):
    """A page that must show something to buy."""

    url: PageUrl
    expect_text: ExpectedText | None = None


class ExpressCheckout(WithFlow):
    """The way to the first step of the checkout, as somebody who is logged in."""

    enabled: bool = False
    entry_point: PageUrl | None = None
    expect_text: ExpectedText | None = None


class PartnerSent(Sent):
    """A company whose site is checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    code: Slug = Field(description="Unique; never changes.")
    name: str = Field(min_length=1, max_length=200, pattern=r"\S")
    active: bool = Field(default=True, description="While false, nothing of it runs.")
    inactive_reason: str | None = Field(default=None, max_length=500, description="Kept only while it is not active.")
    entry_point: PageUrl = Field(description="Where logging in starts.")
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


class SignedInMarkerView(View):
    text: str | None = None
    css: str | None = None


class LoginView(View):
    signed_in_marker: SignedInMarkerView | None = None
    flow: Flow | None = None


class SsoView(View):
    enabled: bool = False
    signed_in_marker: SignedInMarkerView | None = None
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
