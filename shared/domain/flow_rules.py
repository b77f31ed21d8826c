"""What to think about in a flow that is well-formed: warnings, credentials written out, and where an error is. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.domain.flow import STEP_KINDS, ClickStep, ExpectStep, Flow, NavigateStep, PressStep, Step
from shared.domain.shop_words import binding

_LISTS_OF_LOCATORS = ("locators", "element_visible", "element_absent")
# A shorter one may be part of any word.
_LEAST_SECRET_PART = 6


def warnings_of(flow: Flow) -> list[tuple[str, str]]:
    """(field, what to think about) for each thing that is accepted, but is likely not meant."""
    found: list[tuple[str, str]] = []
    buys = binding([list(_texts_of(step)) for step in flow.steps])
    opened = [step.url for step in flow.steps if isinstance(step, NavigateStep) and step.url]
    for position, step in enumerate(flow.steps):
        at = f"steps.{position}"
        if buys[position] and not step.final:
            found.append((at, "reads like placing an order; mark it `final`, and nothing is ever ordered"))
        if isinstance(step, ExpectStep) and step.url_contains and any(step.url_contains in url for url in opened):
            found.append((f"{at}.url_contains", "holds already where the flow navigates to, so it may prove nothing"))
        if step.final and not any(earlier.final for earlier in flow.steps[:position]):
            found.append((f"{at}.final", "nothing from here on is performed, but for steps that always run"))
    return found


def _texts_of(step: Step) -> Iterator[str]:
    """What tells the control that a step uses; nothing for the steps that use none."""
    if isinstance(step, ClickStep | PressStep):
        texts = [getattr(locator, field, None) for locator in step.locators or () for field in ("text", "name")]
        yield from (text for text in (step.name, *texts) if text)


def constants_that_are_secret(flow: Flow, credentials: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """(field, hint) for each constant that holds a stored credential; `credentials` by the name of its value.

    A user name counts only where it is all that is filled in; the others anywhere, also as a part of a text.
    """
    found: list[tuple[str, str]] = []
    for position, step in enumerate(flow.steps):
        for field, text in _texts(step.model_dump(exclude_none=True), f"steps.{position}"):
            for value, secret in credentials.items():
                if secret and _holds(text, value, secret, field):
                    found.append((field, "holds a stored credential; write {{" + value + "}} in its place"))
    return found


def _holds(text: str, value: str, secret: str, field: str) -> bool:
    if value == "username":
        return text == secret and field.endswith(".value")
    return text == secret or (len(secret) >= _LEAST_SECRET_PART and secret in text)


def _texts(part: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield at, part
    elif isinstance(part, dict | list):
        items: Sequence[tuple[Any, Any]] = list(part.items()) if isinstance(part, dict) else list(enumerate(part))
        for key, inner in items:
            yield from _texts(inner, f"{at}.{key}")


def plain_location(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """Where an error is, without the names of union members that pydantic puts after a step's or locator's position."""
    kept: list[str | int] = []
    for position, part in enumerate(location):
        after_index = position >= 2 and isinstance(location[position - 1], int) and isinstance(part, str)
        if after_index and location[position - 2] in ("steps", *_LISTS_OF_LOCATORS):
            continue
        kept.append(part)
    return tuple(kept)


def plain_message(kind: str, message: str) -> str:
    """What pydantic says of an error of this kind, but for what would be unclear, or quote what was sent."""
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"must say with `do` which step it is: {', '.join(STEP_KINDS)}"
    return message.removeprefix("Value error, ")
