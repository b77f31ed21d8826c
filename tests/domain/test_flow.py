"""What a flow may hold, and what is refused, by tables."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.flow import STEP_KINDS, Flow
from shared.domain.flow_locators import with_values
from shared.domain.flow_rules import constants_that_are_secret, plain_location, plain_message, warnings_of

AT = [{"css": "#x"}]
OPEN: dict[str, Any] = {"do": "navigate"}
SEEN: dict[str, Any] = {"do": "expect", "text_visible": "Welcome"}
NOTHING_POSITIVE = "needs something positive"


def flow(*steps: dict[str, Any]) -> Flow:
    return Flow.model_validate({"steps": list(steps)})


def errors(*steps: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refused:
        flow(*steps)
    return [
        (".".join(map(str, plain_location(error["loc"]))), plain_message(error["type"], error["msg"]))
        for error in refused.value.errors()
    ]


EVERY_KIND: list[dict[str, Any]] = [
    {"do": "navigate", "url": "https://shop.example/login", "timeout_seconds": 20},
    {"do": "click", "locators": [{"role": "button", "name": "Log in"}, {"text": "Log in"}], "double": True},
    {"do": "fill", "locators": [{"label": "Password"}], "value": "{{password}}", "name": "the password"},
    {"do": "press", "key": "Enter"},
    {"do": "select", "locators": [{"xpath": "//select"}], "option_text": "Germany"},
    {"do": "hover", "locators": [{"shadow": ["my-menu", "button"]}], "allow_failure": True},
    {"do": "wait_for", "locators": AT, "until": "absent"},
    {"do": "frame", "locators": AT},
    {"do": "window", "to": "newest"},
    {"do": "totp", "locators": AT},
    {"do": "screenshot", "always_run": True},
    {"do": "log_in"},
    SEEN,
]


def test_every_kind_of_step_is_taken_and_kept_as_it_was_sent() -> None:
    taken = flow(*EVERY_KIND)
    assert [step["do"] for step in EVERY_KIND if step["do"] in STEP_KINDS] == [step.do for step in taken.steps]
    assert {step["do"] for step in EVERY_KIND} == set(STEP_KINDS)
    assert Flow.model_validate(taken.model_dump()) == taken
    assert Flow.model_validate_json(taken.model_dump_json()) == taken


@pytest.mark.parametrize(
    ("steps", "field", "message"),
    [
        ([], "steps", "at least 1"),
        ([OPEN] * 101, "steps", "at most 100"),
        ([OPEN, {"do": "fly"}], "steps.1", "must say with `do` which step it is: navigate, click"),
        ([OPEN, {"locators": AT}], "steps.1", "must say with `do`"),
        ([OPEN, {"do": "click"}], "steps.1.locators", "Field required"),
        ([OPEN, {"do": "click", "locators": []}], "steps.1.locators", "at least 1"),
        ([OPEN, {"do": "click", "locators": [{"css": "#a"}, {"css": " "}]}], "steps.1.locators.1.css", "match pattern"),
        ([OPEN, {"do": "click", "locators": [{"css": "#a", "text": "b"}]}], "steps.1.locators.0", "exactly one of css"),
        ([OPEN, {"do": "click", "locators": [{"id": "a"}]}], "steps.1.locators.0", "exactly one of css"),
        ([OPEN, {"do": "click", "locators": [{"css": "a", "name": "b"}]}], "steps.1.locators.0.name", "not permitted"),
        ([OPEN, {"do": "click", "locators": [{"shadow": ["a"]}]}], "steps.1.locators.0.shadow", "at least 2"),
        ([OPEN, {"do": "click", "locators": [{"role": "A B"}]}], "steps.1.locators.0.role", "match pattern"),
        ([OPEN, {"do": "click", "locators": [{"css": "a\0"}]}], "steps.1.locators.0.css", "NUL"),
        ([OPEN, {"do": "fill", "locators": AT, "value": "{{pin}}"}], "steps.1.value", "known are {{username}}"),
        ([OPEN, {"do": "fill", "locators": AT, "value": "{{username}} {{password"}], "steps.1.value", "never closed"),
        ([OPEN, {"do": "click", "locators": [{"text": "{{username}}"}]}], "steps.1.locators.0.text", "filled into"),
        ([OPEN, {"do": "click", "locators": [{"text": "{{ username"}]}], "steps.1.locators.0.text", "filled into"),
        ([{"do": "navigate", "url": "https://a.example/?p={{password}}"}], "steps.0.url", "hold {{password}}"),
        ([{"do": "navigate", "url": "https://a.example/?p={{other"}], "steps.0.url", "hold {{"),
        ([{"do": "navigate", "url": "http://a.example:6667/"}], "steps.0.url", "port 6667"),
        ([{"do": "navigate", "url": "ftp://x.example"}], "steps.0.url", "match pattern"),
        ([{"do": "navigate", "url": "https://me:pw@x.example"}], "steps.0.url", "must not hold a user name"),
        ([{"do": "navigate", "timeout_seconds": 0}], "steps.0.timeout_seconds", "greater than 0"),
        ([{"do": "navigate", "timeout_seconds": "5"}], "steps.0.timeout_seconds", "valid number"),
        ([OPEN, {"do": "expect"}], "steps.1", "exactly one of url_contains"),
        ([OPEN, {**SEEN, "title_contains": "x"}], "steps.1", "exactly one of url_contains"),
        ([OPEN, {"do": "expect", "url_matches": "("}], "steps.1.url_matches", "not a regular expression"),
        ([OPEN, {"do": "expect", "url_matches": "(?i)x"}], "steps.1.url_matches", "inline flags"),
        ([OPEN, {"do": "expect", "element_visible": [{}]}], "steps.1.element_visible.0", "exactly one of css"),
        ([OPEN, {"do": "select", "locators": AT}], "steps.1", "exactly one of option_text"),
        ([OPEN, {"do": "press", "key": "F13"}], "steps.1.key", "Enter"),
        ([OPEN, {**SEEN, "final": True, "always_run": True}, SEEN], "", "steps.1 is final"),
        ([SEEN], "", "must begin with navigate or log_in"),
        ([OPEN, {"do": "click", "locators": AT}], "", NOTHING_POSITIVE),
        ([OPEN, {"do": "expect", "text_absent": "Error"}], "", NOTHING_POSITIVE),
        ([OPEN, {"do": "expect", "element_absent": AT}], "", NOTHING_POSITIVE),
        ([OPEN, {**SEEN, "allow_failure": True}], "", NOTHING_POSITIVE),
        ([OPEN, {"do": "click", "locators": AT, "final": True}, SEEN], "", NOTHING_POSITIVE),
    ],
)
def test_what_is_refused_names_the_field(steps: list[Any], field: str, message: str) -> None:
    found = errors(*steps)
    assert [named for named, _ in found] == [field]
    assert message in found[0][1], found


def test_no_error_repeats_what_was_sent() -> None:
    found = errors(
        OPEN, {"do": "canary-7781"}, {"do": "navigate", "url": "https://canary-7781@x"}, {"do": "press", "key": 1}
    )
    assert "canary-7781" not in str(found)


@pytest.mark.parametrize(
    "positive",
    [
        {"do": "log_in"},
        {"do": "expect", "url_contains": "/account"},
        {"do": "expect", "url_matches": "/account/[0-9]+$"},
        {"do": "expect", "title_contains": "Account"},
        {"do": "expect", "element_visible": AT},
        SEEN,
    ],
)
def test_what_counts_as_positive(positive: dict[str, Any]) -> None:
    assert flow(OPEN, positive)
    assert flow(OPEN, {"do": "click", "locators": AT}, positive, {"do": "click", "locators": AT, "final": True})


def test_which_values_a_flow_asks_for() -> None:
    filled = {"do": "fill", "locators": AT, "value": "{{ username }}@{{password}}"}
    assert flow(OPEN, filled, SEEN).values() == {"username", "password"}
    assert flow(OPEN, {"do": "totp", "locators": AT}, SEEN).values() == {"totp"}
    assert with_values("{{ username }}@{{password}}", {"username": "a", "password": r"\1{{totp}}"}) == r"a@\1{{totp}}"


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ({"do": "click", "locators": [{"text": "Place order"}]}, ["steps.1"]),
        ({"do": "click", "locators": [{"role": "button", "name": "Jetzt zahlungspflichtig bestellen"}]}, ["steps.1"]),
        ({"do": "click", "locators": [{"text": "Place order"}], "final": True}, ["steps.2.final"]),
        ({"do": "click", "locators": [{"text": "Order history"}]}, []),
        ({"do": "navigate", "url": "https://x.example/a"}, ["steps.2.url_contains"]),
    ],
)
def test_warnings(step: dict[str, Any], fields: list[str]) -> None:
    positive = {"do": "expect", "url_contains": "x.example"}
    steps = (OPEN, positive, step) if step.get("final") else (OPEN, step, positive)
    assert [field for field, _ in warnings_of(flow(*steps))] == fields


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("hunter2-hunter2", ["steps.1.value"]),
        ("x hunter2-hunter2", ["steps.1.value"]),
        ("probe", ["steps.1.value"]),
        ("probes", []),
        ("JBSWY3DPEHPK3PXP", ["steps.1.value"]),
        ("{{password}}", []),
    ],
)
def test_credentials_written_out_are_found(value: str, fields: list[str]) -> None:
    stored = {"username": "probe", "password": "hunter2-hunter2", "totp": "JBSWY3DPEHPK3PXP"}
    found = constants_that_are_secret(flow(OPEN, {"do": "fill", "locators": AT, "value": value}, SEEN), stored)
    assert [field for field, _ in found] == fields
    assert value not in str(found)


def test_a_password_is_found_in_any_text_of_a_flow() -> None:
    hidden = flow({"do": "navigate", "url": "https://x.example/?p=hunter2"}, {**SEEN, "text_visible": "probe"})
    stored = {"username": "probe", "password": "hunter2", "totp": None}
    assert [field for field, _ in constants_that_are_secret(hidden, stored)] == ["steps.0.url"]
