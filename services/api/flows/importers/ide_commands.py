"""What each command of Selenium IDE becomes: one map, one short function each."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.api.flows.importers.draft import Locator
from shared.domain.flow_locators import MOST_LOCATORS

Translated = tuple[list[dict[str, Any]], str]
"""The steps, and what is other than recorded; empty when nothing is."""

NOT_NEEDED = {
    "setWindowSize": "the browser's own window size is used",
    "echo": "there is nobody to tell",
    "pause": "steps wait for what they need, and not for a time",
    "setSpeed": "steps wait for what they need, and not for a time",
    "close": "windows close with the session",
    "debugger": "there is nobody to debug",
    "mouseOut": "the mouse leaves with the next step",
    "storeWindowHandle": "windows are told by when they opened",
}
CONTROL_FLOW = ("if", "else", "elseIf", "end", "do", "while", "repeatIf", "times", "forEach")
_KEYS = {
    "KEY_ENTER": "Enter",
    "KEY_RETURN": "Enter",
    "KEY_TAB": "Tab",
    "KEY_ESC": "Escape",
    "KEY_ESCAPE": "Escape",
    "KEY_BACKSPACE": "Backspace",
    "KEY_BKSP": "Backspace",
    "KEY_DELETE": "Delete",
    "KEY_DEL": "Delete",
    "KEY_SPACE": "Space",
    "KEY_UP": "ArrowUp",
    "KEY_DOWN": "ArrowDown",
    "KEY_LEFT": "ArrowLeft",
    "KEY_RIGHT": "ArrowRight",
    "KEY_HOME": "Home",
    "KEY_END": "End",
    "KEY_PAGE_UP": "PageUp",
    "KEY_PAGE_DOWN": "PageDown",
}
_ANYWHERE = "the text is looked for anywhere on the page"


class Unusable(Exception):
    """Why this one command can't be told by a flow."""


@dataclass(slots=True)
class Command:
    target: str
    value: str
    targets: list[str] = field(default_factory=list)

    def locators(self) -> list[Locator]:
        """The target and its alternatives, in order. Raises `Unusable` when none can be used."""
        found: list[Locator] = []
        for target in (self.target, *self.targets):
            locator = _locator(target)
            if locator is not None and locator not in found:
                found.append(locator)
        if not found:
            raise Unusable("none of its targets can be used")
        return found[:MOST_LOCATORS]


def _locator(target: str) -> Locator | None:
    kind, _, rest = target.partition("=")
    if target.startswith(("//", "(//")):
        return {"xpath": target}
    if not rest.strip():
        return None
    if kind in ("id", "name"):
        return {"css": f"[{kind}={json.dumps(rest, ensure_ascii=False)}]"}
    if kind in ("css", "xpath"):
        return {kind: rest}
    if kind in ("link", "linkText"):
        return {"role": "link", "name": rest}
    return {"text": rest} if kind == "partialLinkText" else None


def _open(command: Command) -> Translated:
    return [{"do": "navigate", "url": command.target}], ""


def _click(command: Command) -> Translated:
    return [{"do": "click", "locators": command.locators()}], ""


def _double_click(command: Command) -> Translated:
    return [{"do": "click", "double": True, "locators": command.locators()}], ""


def _toggle(command: Command) -> Translated:
    return _click(command)[0], "it is clicked, whatever it shows before"


def _type(command: Command) -> Translated:
    return [{"do": "fill", "locators": command.locators(), "value": command.value}], ""


def _send_keys(command: Command) -> Translated:
    locators, steps = command.locators(), list[dict[str, Any]]()
    for text, key in re.findall(r"([^$]+|\$(?!\{KEY_))|\$\{(KEY_\w+)\}", command.value):
        if key and key not in _KEYS:
            raise Unusable("only keys such as Enter and Tab are pressed")
        if key:
            steps.append({"do": "press", "key": _KEYS[key], "locators": locators})
        elif steps and steps[-1]["do"] == "fill":
            steps[-1]["value"] += text
        else:
            steps.append({"do": "fill", "locators": locators, "value": text})
    filled = any(step["do"] == "fill" for step in steps)
    return steps, "what the field held before is replaced" if filled else ""


def _select(command: Command) -> Translated:
    kind, _, option = command.value.partition("=")
    if kind not in ("label", "value") or not option:
        raise Unusable("an option is chosen by its text or value only")
    name = "option_text" if kind == "label" else "option_value"
    return [{"do": "select", "locators": command.locators(), name: option}], ""


def _hover(command: Command) -> Translated:
    return [{"do": "hover", "locators": command.locators()}], ""


def _wait(until: str) -> Callable[[Command], Translated]:
    def wait(command: Command) -> Translated:
        step: dict[str, Any] = {"do": "wait_for", "locators": command.locators(), "until": until}
        if command.value.isdigit() and 0 < int(command.value) <= 300_000:
            step["timeout_seconds"] = int(command.value) / 1000
        return [step], ""

    return wait


def _expect_text(name: str) -> Callable[[Command], Translated]:
    def expect(command: Command) -> Translated:
        if not command.value.strip():
            raise Unusable("it expects no text")
        return [{"do": "expect", name: command.value}], _ANYWHERE

    return expect


def _expect_title(command: Command) -> Translated:
    title = command.target or command.value
    if not title.strip():
        raise Unusable("it expects no title")
    return [{"do": "expect", "title_contains": title}], ""


def _expect_element(name: str) -> Callable[[Command], Translated]:
    def expect(command: Command) -> Translated:
        return [{"do": "expect", name: command.locators()}], "it must be visible, or not be so"

    return expect


def _frame(command: Command) -> Translated:
    place = re.fullmatch(r"index=(\d+)", command.target)
    if command.target in ("relative=parent", "relative=top"):
        changed = "back to the page as a whole" if command.target == "relative=parent" else ""
        return [{"do": "frame"}], changed
    if place:
        changed = "its frame is told by its place among the frames; better name it by a selector"
        return [{"do": "frame", "locators": [{"xpath": f"(//iframe | //frame)[{int(place[1]) + 1}]"}]}], changed
    return [{"do": "frame", "locators": command.locators()}], ""


def _window(command: Command) -> Translated:
    first = "root" in command.target or command.target.endswith("win_ser_local")
    return [{"do": "window", "to": "first" if first else "newest"}], "windows are told by when they opened"


COMMANDS: dict[str, Callable[[Command], Translated]] = {
    "open": _open,
    "click": _click,
    "clickAt": _click,
    "doubleClick": _double_click,
    "doubleClickAt": _double_click,
    "check": _toggle,
    "uncheck": _toggle,
    "type": _type,
    "sendKeys": _send_keys,
    "select": _select,
    "mouseOver": _hover,
    "waitForElementVisible": _wait("visible"),
    "waitForElementPresent": _wait("visible"),
    "waitForElementEditable": _wait("visible"),
    "waitForElementNotVisible": _wait("absent"),
    "waitForElementNotPresent": _wait("absent"),
    "waitForText": _expect_text("text_visible"),
    "assertText": _expect_text("text_visible"),
    "verifyText": _expect_text("text_visible"),
    "assertNotText": _expect_text("text_absent"),
    "verifyNotText": _expect_text("text_absent"),
    "assertTitle": _expect_title,
    "verifyTitle": _expect_title,
    "assertElementPresent": _expect_element("element_visible"),
    "verifyElementPresent": _expect_element("element_visible"),
    "assertElementNotPresent": _expect_element("element_absent"),
    "verifyElementNotPresent": _expect_element("element_absent"),
    "selectFrame": _frame,
    "selectWindow": _window,
}
