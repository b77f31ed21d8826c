from typing import Any, Literal

from pydantic import ConfigDict, Field

from services.api.errors import FieldProblem
from services.api.fields import Sent, Slug, View

EXAMPLE_FLOW: dict[str, Any] = {
    "steps": [
        {"do": "navigate", "url": "https://shop.acme.example/login"},
        {"do": "fill", "locators": [{"label": "User name"}], "value": "{{username}}"},
        {"do": "fill", "locators": [{"css": "#password"}, {"label": "Password"}], "value": "{{password}}"},
        {"do": "click", "locators": [{"role": "button", "name": "Log in"}]},
        {"do": "expect", "url_contains": "/account"},
    ]
}
EXAMPLE_RECORDING: dict[str, Any] = {
    "title": "Log in",
    "steps": [
        {"type": "navigate", "url": "https://shop.acme.example/login"},
        {"type": "change", "value": "probe", "selectors": [["aria/User name"], ["#username"]], "target": "main"},
        {"type": "click", "selectors": [["aria/Log in"], ["button"]], "target": "main", "offsetX": 5, "offsetY": 5},
    ],
}


class FlowToValidate(Sent):
    """Any JSON is taken as the flow; what is wrong with it is the answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"flow": EXAMPLE_FLOW, "partner": None}]})

    flow: Any = Field(description="Of the form of `Flow`, see `login.flow` of a partner.")
    partner: Slug | None = Field(
        default=None, description="Whose stored credentials the flow must not hold, and should find."
    )


class Validated(View):
    valid: bool
    errors: list[FieldProblem] = Field(
        description="What keeps it from being stored, by field: `steps.3.locators.0.css`."
    )
    warnings: list[FieldProblem] = Field(description="What is accepted, but likely not meant.")


Format = Literal["devtools_recorder", "selenium_ide"]


class RecordingSent(Sent):
    """A recording as the tool exported it. Nothing of it is stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"format": None, "recording": EXAMPLE_RECORDING}]})

    format: Format | None = Field(default=None, description="Null: told by the recording itself.")
    recording: dict[str, Any]
    test: str | None = Field(
        default=None, max_length=500, description="Of a Selenium IDE project: which of its tests; null: the first."
    )


class RecordedStepView(View):
    """What became of one recorded step."""

    recorded: str = Field(description="Where it stands in the recording and what it is, without what was typed.")
    fate: Literal["kept", "changed", "unsupported", "added"]
    reason: str = Field(description="Empty when it was kept as it was.")
    steps: list[int] = Field(description="The positions of what it became in the flow.")


class LiftedView(View):
    """A credential that the recording held. Its value is not in the flow, and not in this answer."""

    value: Literal["username", "password", "totp"] = Field(description="What stands in its place, in `{{...}}`.")
    field: str = Field(description="Where in the flow: `steps.2.value`.")
    typed_into: str = Field(description="The first locator of the field.")


class Imported(View):
    """The flow, to be tried and edited; and what became of each recorded step."""

    format: Format
    flow: dict[str, Any] = Field(description="As far as the recording could be told; stored by nobody.")
    report: list[RecordedStepView]
    credentials: list[LiftedView] = Field(description="To be stored with the partner; the flow asks for them.")
    valid: bool
    errors: list[FieldProblem] = Field(description="What has to be added or changed before it can be stored.")
    warnings: list[FieldProblem]
