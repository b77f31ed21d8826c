"""The steps of a check that the automatic way does not fit: a closed vocabulary, and what is refused. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.domain.flow_locators import FlowPart, Key, Locators, Value, Words, require_constant, values_in
from shared.domain.web_address import MAX_URL_LENGTH, URL_PATTERN, page_url

MOST_STEPS = 100

Url = Annotated[
    str,
    StringConstraints(max_length=MAX_URL_LENGTH, pattern=URL_PATTERN),
    AfterValidator(require_constant),
    AfterValidator(page_url),
]


def _pattern(text: str) -> str:
    """The browser evaluates it, so what its language and Python's spell differently is refused."""
    if re.search(r"\(\?(?![:=!]|<[=!])", text):
        raise ValueError("must not hold inline flags or named groups")
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return text


class FlowStep(FlowPart):
    """What every step may say about how it is performed."""

    name: Words | None = Field(default=None, description="What the result calls it.")
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        le=300,
        description="How long it may take; null: the partner's `wait_override_seconds` or 10.",
    )
    allow_failure: bool = Field(default=False, description="When it fails, the flow goes on as if it had not.")
    always_run: bool = Field(default=False, description="It runs also after a step has failed, to tidy up.")
    final: bool = Field(default=False, description="It makes something binding: Parakeet stops before it.")


class NavigateStep(FlowStep):
    """Opens a page. A status of 400 or more fails."""

    do: Literal["navigate"]
    url: Url | None = Field(default=None, description="Null: where the check begins.")


class ClickStep(FlowStep):
    do: Literal["click"]
    locators: Locators
    double: bool = False


class FillStep(FlowStep):
    """Replaces what a field holds."""

    do: Literal["fill"]
    locators: Locators
    value: Value = Field(description="A constant, in which {{username}}, {{password}} and {{totp}} may stand.")


class PressStep(FlowStep):
    do: Literal["press"]
    key: Key
    locators: Locators | None = Field(default=None, description="Null: what has the focus.")


class SelectStep(FlowStep):
    """Chooses an option of a list, by one of the two."""

    do: Literal["select"]
    locators: Locators
    option_text: Words | None = None
    option_value: Words | None = None

    @model_validator(mode="after")
    def _one_option(self) -> "SelectStep":
        _require_one(self, ("option_text", "option_value"))
        return self


class HoverStep(FlowStep):
    do: Literal["hover"]
    locators: Locators


class WaitForStep(FlowStep):
    do: Literal["wait_for"]
    locators: Locators
    until: Literal["visible", "absent"] = "visible"


class ExpectStep(FlowStep):
    """What must be so, or become so within the time; one thing a step."""

    do: Literal["expect"]
    url_contains: Words | None = None
    url_matches: Annotated[Words, AfterValidator(_pattern)] | None = Field(
        default=None, description="A regular expression, found anywhere in the URL."
    )
    title_contains: Words | None = None
    text_visible: Words | None = None
    text_absent: Words | None = None
    element_visible: Locators | None = None
    element_absent: Locators | None = None

    @model_validator(mode="after")
    def _one_expectation(self) -> "ExpectStep":
        _require_one(self, EXPECTATIONS)
        return self

    @property
    def expected(self) -> str:
        """The name of the field that is set."""
        return next(name for name in EXPECTATIONS if getattr(self, name) is not None)


class FrameStep(FlowStep):
    """Goes on inside a frame, once it is there."""

    do: Literal["frame"]
    locators: Locators | None = Field(default=None, description="Null: back to the page as a whole.")


class WindowStep(FlowStep):
    """Goes on in another window or tab, once it is there."""

    do: Literal["window"]
    to: Literal["newest", "first"]


class TotpStep(FlowStep):
    """Types a fresh code of the stored second factor; the same as filling {{totp}}."""

    do: Literal["totp"]
    locators: Locators


class ScreenshotStep(FlowStep):
    """Keeps a picture of the page, without secrets."""

    do: Literal["screenshot"]


class LogInStep(FlowStep):
    """The automatic log-in at the partner's entry point, with its confirmation. In one session it is done once."""

    do: Literal["log_in"]


Step: TypeAlias = Annotated[
    NavigateStep
    | ClickStep
    | FillStep
    | PressStep
    | SelectStep
    | HoverStep
    | WaitForStep
    | ExpectStep
    | FrameStep
    | WindowStep
    | TotpStep
    | ScreenshotStep
    | LogInStep,
    Field(discriminator="do"),
]
EXPECTATIONS = (
    "url_contains",
    "url_matches",
    "title_contains",
    "text_visible",
    "text_absent",
    "element_visible",
    "element_absent",
)
_NEGATIVE = ("text_absent", "element_absent")


class Flow(FlowPart):
    """Steps in order. It passes when all of them went well, but for those that may fail."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=MOST_STEPS)]

    @model_validator(mode="after")
    def _acceptable(self) -> "Flow":
        for position, step in enumerate(self.steps):
            if step.final and step.always_run:
                raise ValueError(f"steps.{position} is final, so it can't always run")
        if not isinstance(self.steps[0], NavigateStep | LogInStep):
            raise ValueError("must begin with navigate or log_in: before that there is no page")
        if not any(is_positive(step) and not step.allow_failure for step in self.performed()):
            raise ValueError(
                "needs something positive that must be so, or it would pass because nothing failed: an expect of url, "
                "title, visible text or visible element, or a log_in; not allowed to fail, before the first final step"
            )
        return self

    def performed(self) -> Iterator[Step]:
        """Those that come before the first final one."""
        for step in self.steps:
            if step.final:
                return
            yield step

    def values(self) -> set[str]:
        """Which stored values it asks for: of `username`, `password`, `totp`."""
        filled = {name for step in self.steps if isinstance(step, FillStep) for name in values_in(step.value)}
        return filled | ({"totp"} if any(isinstance(step, TotpStep) for step in self.steps) else set())


def is_positive(step: Step) -> bool:
    """Whether it can only go well when the site did something right."""
    return isinstance(step, LogInStep) or (isinstance(step, ExpectStep) and step.expected not in _NEGATIVE)


def _require_one(step: FlowStep, names: Sequence[str]) -> None:
    if sum(getattr(step, name) is not None for name in names) != 1:
        raise ValueError(f"must hold exactly one of {', '.join(names)}")


STEP_KINDS: tuple[str, ...] = tuple(
    get_args(kind.model_fields["do"].annotation)[0] for kind in get_args(get_args(Step)[0])
)
