"""Reads a recording of Chrome's DevTools Recorder, in the JSON that it exports."""

import json
import re
from typing import Any

from services.api.flows.importers.draft import Draft, Locator
from shared.domain.flow_locators import KEYS, MOST_LOCATORS

_ARIA = re.compile(r"""^aria/(?P<name>.*?)(\[role=["'](?P<role>[a-z]+)["']\])?$""", re.DOTALL)
_NOT_NEEDED = {
    "setViewport": "the browser's own window size is used",
    "scroll": "what a step needs is scrolled into view",
    "close": "windows close with the session",
    "keyUp": "a key that is pressed is let go of",
}
_NOT_POSSIBLE = {
    "waitForExpression": "scripts of a recording are not run; expect a text, an element or a URL in its place",
    "emulateNetworkConditions": "the network is as it is",
    "customStep": "what it does is known to its extension only",
}


def read_devtools_recording(recording: dict[str, Any]) -> Draft:
    """Whatever can't be read is left out, and told."""
    draft = Draft()
    steps = recording.get("steps")
    recorded = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    fields = {_key(step) for step in recorded if step.get("type") == "change"}
    for number, step in enumerate(recorded, 1):
        kind = str(step.get("type"))[:40]
        _read(draft, f"step {number}: {kind}", kind, step, _key(step) in fields)
        _read_events(draft, f"step {number}: what {kind} leads to", step.get("assertedEvents"))
    return draft


def _read_events(draft: Draft, recorded: str, events: Any) -> None:
    if events is not None and not isinstance(events, list):
        draft.leave_out(recorded, "it is no list")
        return
    for event in events or ():
        if isinstance(event, dict) and isinstance(event.get("url"), str):
            draft.landed.append((draft.steps[-1] if draft.steps else {}, event["url"]))


def _read(draft: Draft, recorded: str, kind: str, step: dict[str, Any], of_field: bool) -> None:
    if kind in _NOT_NEEDED:
        draft.drop(recorded, _NOT_NEEDED[kind])
    elif kind in _NOT_POSSIBLE:
        draft.leave_out(recorded, _NOT_POSSIBLE[kind])
    elif not isinstance(step.get("frame", []), list | None):
        draft.leave_out(recorded, "its frame can't be read")
    elif kind == "navigate" and not isinstance(step.get("url"), str):
        draft.leave_out(recorded, "its URL can't be read")
    elif kind == "navigate":
        _go_to(draft, step)
        draft.keep(recorded, {"do": "navigate", "url": step.get("url"), **_limits(step)})
    elif kind == "keyDown":
        _read_key(draft, recorded, step)
    elif kind in _AT_ELEMENT:
        locators, dropped = _locators(step, of_field=of_field)
        if not locators:
            draft.leave_out(recorded, "none of its selectors can be used")
            return
        where = _go_to(draft, step)
        made, reason = _AT_ELEMENT[kind](step, locators)
        if made is None:
            draft.leave_out(recorded, reason)
            return
        reasons = [each for each in (where, reason, "some of its selectors can't be used" if dropped else "") if each]
        draft.keep(recorded, {**made, **_limits(step)}, changed="; ".join(reasons))
    else:
        draft.leave_out(recorded, "this kind of step is not known")


def _click(step: dict[str, Any], locators: list[Locator]) -> tuple[dict[str, Any] | None, str]:
    if step.get("button", "primary") != "primary":
        return None, "only the primary button can be clicked"
    return {"do": "click", "locators": locators, **({"double": True} if step["type"] == "doubleClick" else {})}, ""


def _change(step: dict[str, Any], locators: list[Locator]) -> tuple[dict[str, Any] | None, str]:
    value = step.get("value")
    if not isinstance(value, str):
        return None, "it holds no text"
    return {"do": "fill", "locators": locators, "value": value}, ""


def _hover(step: dict[str, Any], locators: list[Locator]) -> tuple[dict[str, Any] | None, str]:
    return {"do": "hover", "locators": locators}, ""


def _wait_for_element(step: dict[str, Any], locators: list[Locator]) -> tuple[dict[str, Any] | None, str]:
    """The Recorder writes its assertions so."""
    gone = step.get("visible") is False or (step.get("count") == 0 and step.get("operator", ">=") in ("==", "<="))
    more = [name for name in ("properties", "attributes") if step.get(name)]
    if not gone and (step.get("count", 1), step.get("operator", ">=")) not in ((1, ">="), (1, "==")):
        more.append("count")
    reason = f"its {' and '.join(more)} can't be expected" if more else ""
    return {"do": "expect", "element_absent" if gone else "element_visible": locators}, reason


_AT_ELEMENT = {
    "click": _click,
    "doubleClick": _click,
    "change": _change,
    "hover": _hover,
    "waitForElement": _wait_for_element,
}


def _read_key(draft: Draft, recorded: str, step: dict[str, Any]) -> None:
    key = {" ": "Space"}.get(str(step.get("key")), str(step.get("key")))
    if key in KEYS:
        where = _go_to(draft, step)
        draft.keep(recorded, {"do": "press", "key": key, **_limits(step)}, changed=where)
    else:
        draft.leave_out(recorded, "only keys such as Enter and Tab are pressed; what is typed comes with its field")


def _go_to(draft: Draft, step: dict[str, Any]) -> str:
    """The window and frame that the step is in, when they are others than before; says how they were told."""
    target = step.get("target", "main")
    window = "first" if target == "main" else "newest"
    frame = [_frame(index) for index in step.get("frame") or () if isinstance(index, int)]
    told = []
    if window != draft.in_window:
        draft.add({"do": "window", "to": window})
        draft.in_window, draft.in_frame = window, []
        told.append("its window is told by when it opened")
    if frame != draft.in_frame:
        if draft.in_frame:
            draft.add({"do": "frame"})
        for locators in frame:
            draft.add({"do": "frame", "locators": locators})
        draft.in_frame = frame
        if frame:
            told.append("its frame is told by its place among the frames; better name it by a selector")
    return "; ".join(told)


def _frame(index: int) -> list[Locator]:
    return [{"xpath": f"(//iframe | //frame)[{index + 1}]"}]


def _locators(step: dict[str, Any], *, of_field: bool) -> tuple[list[Locator], bool]:
    """In the order of the recording, and whether any was left out."""
    given = step.get("selectors")
    found: list[Locator] = []
    dropped = False
    for selector in given if isinstance(given, list) else ():
        locator = _locator(selector, of_field=of_field)
        if locator is None or len(found) == MOST_LOCATORS:
            dropped = True
        elif locator not in found:
            found.append(locator)
    return found, dropped


def _locator(selector: Any, *, of_field: bool) -> Locator | None:
    """A selector is a text, or a list of them from shadow root to shadow root."""
    parts = selector if isinstance(selector, list) else [selector]
    if not parts or not all(isinstance(part, str) and part.strip() for part in parts):
        return None
    if len(parts) > 1:
        plain = not any(re.match(r"(aria|xpath|text|pierce)/", part) for part in parts)
        return {"shadow": parts} if plain else None
    (part,) = parts
    kind, _, rest = part.partition("/")
    if kind == "aria":
        return _by_name(part, of_field=of_field)
    if kind in ("xpath", "text", "pierce") and rest:
        return {"css" if kind == "pierce" else kind: rest}
    return {"css": part}


def _by_name(selector: str, *, of_field: bool) -> Locator | None:
    told = _ARIA.match(selector)
    name = told["name"].strip() if told else ""
    if told is None or not (name or told["role"]):
        return None
    if told["role"]:
        return {"role": told["role"], **({"name": name} if name else {})}
    return {"label": name} if of_field else {"text": name}


def _limits(step: dict[str, Any]) -> dict[str, Any]:
    milliseconds = step.get("timeout")
    if isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool) and 0 < milliseconds <= 300_000:
        return {"timeout_seconds": milliseconds / 1000}
    return {}


def _key(step: dict[str, Any]) -> str:
    """Which element a step is about, for comparing."""
    return json.dumps([step.get("selectors"), step.get("frame"), step.get("target")], sort_keys=True)
