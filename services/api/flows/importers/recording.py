"""The story of an import: which tool made it, what its steps become, what is lifted out, what is still to be added."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from services.api.errors import FieldProblem, InvalidRequest
from services.api.flows.importers.devtools_recorder import read_devtools_recording
from services.api.flows.importers.draft import Draft, Told
from services.api.flows.importers.lifting import lift_credentials
from services.api.flows.importers.selenium_ide import NoSuchTest, read_selenium_project
from services.api.flows.schemas import Format, Imported, LiftedView, RecordedStepView, RecordingSent
from services.api.flows.validation import judge
from shared.domain.shop_words import binding

_POSITIVE = ("url_contains", "url_matches", "title_contains", "text_visible", "element_visible")
_GUESS = "the recording expects nothing, so this was added from where it ended; check that it proves what you want"


def import_recording(sent: RecordingSent) -> Imported:
    """Raises `InvalidRequest` when it is no known recording, or has no such test. Never tells what was typed."""
    made_by = sent.format or _told_format(sent.recording)
    if made_by == "devtools_recorder":
        draft = read_devtools_recording(sent.recording)
    else:
        try:
            draft = read_selenium_project(sent.recording, sent.test)
        except NoSuchTest as missing:
            message = f"the project has no such test, but: {missing}" if missing.names else "the project has no tests"
            raise InvalidRequest(FieldProblem(field="test", message=message[:1000])) from None
    lifted = lift_credentials(draft)
    _mark_what_is_final(draft)
    _begin_with_a_page(draft)
    _expect_something(draft)
    _close_gaps(draft)
    _, errors, warnings = judge({"steps": draft.steps})
    if any(told.reason == _GUESS for told in draft.report):
        warnings.append(FieldProblem(field=f"steps.{draft.report[-1].steps[0]}", message=_GUESS))
    return Imported(
        format=made_by,
        flow={"steps": draft.steps},
        report=[
            RecordedStepView(recorded=told.recorded, fate=told.fate, reason=told.reason, steps=told.steps)
            for told in draft.report
        ],
        credentials=[
            LiftedView(value=each.value, field=f"steps.{position}.value", typed_into=each.typed_into)
            for each in lifted
            for position, step in enumerate(draft.steps)
            if step is each.step
        ],
        valid=not errors,
        errors=errors,
        warnings=warnings,
    )


def _told_format(recording: dict[str, Any]) -> Format:
    if isinstance(recording.get("tests"), list):
        return "selenium_ide"
    if isinstance(recording.get("steps"), list):
        return "devtools_recorder"
    message = "is neither a recording of Chrome's DevTools Recorder (`steps`) nor a project of Selenium IDE (`tests`)"
    raise InvalidRequest(FieldProblem(field="recording", message=message))


def _mark_what_is_final(draft: Draft) -> None:
    """Nothing that reads like placing an order is performed."""
    buys = binding([list(_texts_of(step)) for step in draft.steps])
    for position, step in enumerate(draft.steps):
        if buys[position]:
            step["final"] = True
            for told in draft.report:
                if position in told.steps:
                    told.fate, told.reason = "changed", "it reads like placing an order, so the flow ends before it"


def _texts_of(step: dict[str, Any]) -> Iterator[str]:
    if step.get("do") == "click":
        texts = (locator.get(name) for locator in step.get("locators") or () for name in ("text", "name"))
        yield from (text for text in texts if text)


def _begin_with_a_page(draft: Draft) -> None:
    first = next((step for step in draft.steps if step), None)
    if first is None or first["do"] == "navigate":
        return
    _insert(draft, 0, {"do": "navigate"})
    draft.report.insert(0, Told("before the first", "added", "it opens where the check begins", [0]))


def _expect_something(draft: Draft) -> None:
    """Before the first final step, where the recording said that it came to another page."""
    final = next((position for position, step in enumerate(draft.steps) if step.get("final")), len(draft.steps))
    if any(name in step for step in draft.steps[:final] for name in _POSITIVE):
        return
    opened = {_path(step["url"]) for step in draft.steps if step.get("do") == "navigate" and step.get("url")}
    performed = draft.steps[:final]
    ends_early = final < len(draft.steps)
    landed = [url for step, url in draft.landed if not ends_early or any(step is each for each in performed)]
    path = _path(landed[-1]) if landed else ""
    if path in ("", "/") or path in opened:
        return
    _insert(draft, final, {"do": "expect", "url_contains": path})
    where = "before the final step" if ends_early else "after the last"
    draft.report.append(Told(where, "added", _GUESS, [final]))


def _insert(draft: Draft, at: int, step: dict[str, Any]) -> None:
    draft.steps.insert(at, step)
    for told in draft.report:
        told.steps = [position + (position >= at) for position in told.steps]


def _close_gaps(draft: Draft) -> None:
    """What was taken out left an empty step."""
    kept = [position for position, step in enumerate(draft.steps) if step]
    place = {before: after for after, before in enumerate(kept)}
    draft.steps = [draft.steps[position] for position in kept]
    for told in draft.report:
        told.steps = [place[position] for position in told.steps if position in place]


def _path(url: str) -> str:
    """Without query and fragment, which may hold what is good for once only."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
