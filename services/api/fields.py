"""The types of fields that several nouns share, and the strict base of everything that is sent to us."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.types import StringConstraints

from shared.domain.flow_locators import ROLE_PATTERN
from shared.domain.outcome import CATALOGUE, OutcomeClass
from shared.domain.web_address import MAX_URL_LENGTH, URL_PATTERN, http_url, page_url

MAX_DEPTH = 20
METHODS = ("get", "post", "put", "patch", "delete", "head")
SLUG_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
METHOD_PATTERN = f"^({'|'.join(''.join(f'[{letter.upper()}{letter}]' for letter in method) for method in METHODS)})$"
PATTERN_WORDS = {
    SLUG_PATTERN: "must be 1 to 63 of a-z, 0-9 and -, not beginning with -",
    URL_PATTERN: "must be an http or https URL with a host and no user name",
    METHOD_PATTERN: f"must be one of {', '.join(METHODS)}",
    ROLE_PATTERN: "must be a role of ARIA, such as button",
    r"\S": "must not be blank",
}
# The ends of PostgreSQL's range matter less than that arithmetic with these never overflows.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def as_utc(moment: datetime) -> datetime:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 2000 and 2200") from None
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("must lie between the years 2000 and 2200")
    return moment


def _no_number(value: Any) -> Any:
    """Pydantic takes a number, also as text, for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and "-" not in value.strip()[1:]):
        raise ValueError("must be a moment by RFC 3339 with an offset, such as 2026-12-01T06:00:00Z")
    return value


def require_until_after_since(until: datetime | None, info: ValidationInfo) -> datetime | None:
    """For the field `until` that stands behind `since`."""
    since = info.data.get("since")
    if until is not None and since is not None and until < since:
        raise ValueError("must not lie before since")
    return until


def _with_z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must name each one once")
    return names


Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"\S")]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(each_once)]
Moment = Annotated[
    datetime,
    PlainSerializer(_with_z, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A moment in an answer: RFC 3339, UTC, `Z`."""
SentMoment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_no_number), AfterValidator(as_utc)]
"""A moment in a request: RFC 3339 with an offset."""
UntilMoment = Annotated[SentMoment | None, AfterValidator(require_until_after_since)]
HttpUrl = Annotated[str, StringConstraints(max_length=MAX_URL_LENGTH, pattern=URL_PATTERN), AfterValidator(http_url)]
PageUrl = Annotated[str, StringConstraints(max_length=MAX_URL_LENGTH, pattern=URL_PATTERN), AfterValidator(page_url)]


def require_storable(value: Any, depth: int = 0) -> Any:
    """Refuse what PostgreSQL's text and jsonb can't hold: NUL, half surrogate pairs, NaN, bottomless nesting."""
    if depth > MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("must not hold NUL characters")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not hold half of a surrogate pair")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must hold finite numbers only")
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError("must hold numbers of at most 64 bits")
    elif isinstance(value, dict):
        for key, item in value.items():
            require_storable(key, depth)
            require_storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            require_storable(item, depth + 1)
    return value


def _storable_secret(value: Any) -> Any:
    return require_storable(value.get_secret_value()) if isinstance(value, SecretStr) else require_storable(value)


class Sent(BaseModel):
    """What a client sends: unknown fields are refused, types are not guessed, text is storable, numbers are finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        _storable_secret(value)
        return value


class NoFields(Sent):
    """An empty object; or send no body at all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class Asked(BaseModel):
    """The query part of a URL, where everything is text: unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class View(BaseModel):
    """What we answer. Declared whole, so that a reader of OpenAPI sees that every field is always there."""

    model_config = ConfigDict(
        populate_by_name=True, from_attributes=True, json_schema_serialization_defaults_required=True
    )


# `class` is a word of Python's, so the field has another name here than in JSON.
ClassField = Annotated[
    OutcomeClass, Field(validation_alias=AliasChoices("class", "outcome_class"), serialization_alias="class")
]


class OutcomeView(View):
    """An outcome as it is seen everywhere."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "credentials_rejected",
                    "class": "partner_failure",
                    "success": False,
                    "message": "The site answered: wrong password.",
                }
            ]
        }
    )

    code: str = Field(description="A code of the catalogue, see `/outcome-types`.")
    outcome_class: ClassField = Field(description="Whom it concerns.")
    success: bool
    message: str = Field(description="One sentence for the reader.")


def outcome_view(code: str, message: str | None, outcome_class: str | None = None) -> OutcomeView:
    """The stored outcome as it is shown; results keep their class, whatever the catalogue says later."""
    kind = OutcomeClass(outcome_class) if outcome_class else CATALOGUE[code].outcome_class
    success = kind in (OutcomeClass.PASSED, OutcomeClass.DEGRADED)
    return OutcomeView(code=code, outcome_class=kind, success=success, message=message or "")
