"""Recordings in the form that the tools export, what becomes of each step, and that no password stays in the flow."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.api.flows.importers.recording import import_recording
from services.api.flows.schemas import Imported, RecordingSent
from shared.domain.flow import Flow
from tests.api.conftest import Service, fields

RECORDINGS = Path(__file__).with_name("recordings")
USERNAME, PASSWORD = "probe-5519", "canary-pw-7781"


def recording(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((RECORDINGS / name).read_text("utf-8"))
    return read


def imported(given: dict[str, Any] | str, test: str | None = None) -> Imported:
    read = recording(given) if isinstance(given, str) else given
    return import_recording(RecordingSent(recording=read, test=test))


def of(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"title": "x", "steps": [{"type": "navigate", "url": "https://a.example/x"}, *steps]}


def fates(answer: Imported) -> list[tuple[str, str]]:
    return [(told.recorded, told.fate) for told in answer.report]


async def test_a_recording_of_devtools_becomes_a_flow(api: httpx.AsyncClient, service: Service) -> None:
    answer = await api.post("/flows/import", json={"recording": recording("devtools_login.json")})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    field = [{"label": "User name"}, {"css": "#username"}, {"xpath": '//*[@id="username"]'}]
    secret = [{"label": "Password"}, {"css": "#password"}, {"xpath": '//*[@id="password"]'}]
    button = [
        {"role": "button", "name": "Log in"},
        {"css": "body > main > form > button"},
        {"xpath": "//html/body/main/form/button"},
        {"text": "Log in"},
    ]
    assert told["flow"]["steps"] == [
        {"do": "navigate", "url": "https://shop.acme.example/login"},
        {"do": "click", "locators": field},
        {"do": "fill", "locators": field, "value": "{{username}}"},
        {"do": "press", "key": "Tab"},
        {"do": "fill", "locators": secret, "value": "{{password}}"},
        {"do": "click", "locators": button},
        {"do": "expect", "url_contains": "/account"},
    ]
    assert (told["format"], told["valid"], told["errors"]) == ("devtools_recorder", True, [])
    assert told["credentials"] == [
        {"value": "username", "field": "steps.2.value", "typed_into": "label User name"},
        {"value": "password", "field": "steps.4.value", "typed_into": "label Password"},
    ]
    assert [(each["recorded"], each["fate"], each["steps"]) for each in told["report"]] == [
        ("step 1: setViewport", "changed", []),
        ("step 2: navigate", "kept", [0]),
        ("step 3: click", "kept", [1]),
        ("step 4: change", "changed", [2]),
        ("step 5: keyDown", "kept", [3]),
        ("step 6: keyUp", "changed", []),
        ("step 7: change", "changed", [4]),
        ("step 8: click", "kept", [5]),
        ("after the last", "added", [6]),
    ]
    assert [each["field"] for each in told["warnings"]] == ["steps.6"]
    assert PASSWORD not in answer.text
    assert USERNAME not in answer.text
    assert "ST-1" not in answer.text
    # Stored by nobody, and stored as it is when somebody wants to.
    assert (await service.execute("SELECT count(*) AS n FROM partners"))[0]["n"] == 0
    partner = {"code": "acme", "name": "Acme", "entry_point": "https://a.example", "login": {"flow": told["flow"]}}
    stored = await api.post("/partners", json=partner)
    assert stored.status_code == 201, stored.text


def test_every_kind_of_step_of_devtools_is_told() -> None:
    answer = imported("devtools_everything.json")
    assert [(number.split(" ")[1], fate) for number, fate in fates(answer)] == [
        ("1:", "unsupported"),
        ("2:", "kept"),
        ("3:", "kept"),
        ("4:", "kept"),
        ("5:", "changed"),
        ("6:", "unsupported"),
        ("7:", "kept"),
        ("8:", "changed"),
        ("9:", "kept"),
        ("10:", "unsupported"),
        ("11:", "changed"),
        ("12:", "changed"),
        ("13:", "changed"),
        ("14:", "unsupported"),
        ("15:", "unsupported"),
        ("16:", "unsupported"),
        ("17:", "unsupported"),
        ("18:", "changed"),
        ("19:", "changed"),
    ]
    assert all(told.reason for told in answer.report if told.fate != "kept")
    assert answer.flow["steps"] == [
        {"do": "navigate", "url": "https://shop.acme.example/p/1", "timeout_seconds": 20.0},
        {"do": "expect", "element_visible": [{"css": "#price"}]},
        {"do": "expect", "element_absent": [{"css": ".spinner"}]},
        {"do": "expect", "element_visible": [{"css": "li.item"}]},
        {"do": "hover", "locators": [{"text": "Menu"}]},
        {"do": "click", "locators": [{"shadow": ["my-app", "my-button"]}, {"css": "plain"}], "double": True},
        {"do": "frame", "locators": [{"xpath": "(//iframe | //frame)[2]"}]},
        {"do": "frame", "locators": [{"xpath": "(//iframe | //frame)[1]"}]},
        {"do": "click", "locators": [{"css": "#inside"}]},
        {"do": "window", "to": "newest"},
        {"do": "click", "locators": [{"css": "#ok"}]},
        {"do": "window", "to": "first"},
        {"do": "press", "key": "Enter"},
        {"do": "click", "locators": [{"role": "button", "name": "Place order"}], "final": True},
    ]
    assert answer.valid
    assert Flow.model_validate(answer.flow)


def test_a_test_of_selenium_ide_becomes_a_flow() -> None:
    answer = imported("selenium_login.side")
    user = [{"css": '[id="username"]'}, {"css": '[name="username"]'}, {"css": "#username"}]
    secret = [{"css": '[id="password"]'}, {"css": "#password"}]
    assert answer.format == "selenium_ide"
    assert answer.flow["steps"] == [
        {"do": "navigate", "url": "https://shop.acme.example/login"},
        {"do": "fill", "locators": [*user, {"xpath": "//input[@id='username']"}], "value": "{{username}}"},
        {"do": "fill", "locators": secret, "value": "{{password}}"},
        {"do": "press", "key": "Enter", "locators": secret[:1]},
        {"do": "expect", "text_visible": "Good day"},
    ]
    assert answer.valid
    assert [fate for _, fate in fates(answer)] == ["kept", "changed", "changed", "changed", "kept", "changed"]
    assert PASSWORD not in answer.model_dump_json()


def test_every_command_of_selenium_ide_is_told() -> None:
    answer = imported("selenium_login.side", test="Everything")
    of_this_test = [told for told in answer.report if ", " not in told.recorded]
    assert {told.recorded.split(" ")[1][:-1]: told.fate for told in of_this_test} == {
        **dict.fromkeys(("5", "7", "8", "11", "21"), "kept"),
        **dict.fromkeys(("1", "2", "9", "10", "12", "14", "15", "16", "18"), "changed"),
        **dict.fromkeys(("4", "6", "13", "17", "19", "20", "22", "23"), "unsupported"),
        "3": "kept",
    }
    reasons = {told.recorded: told.reason for told in answer.report}
    assert reasons["command 20: assertText"] == "it repeats what was typed as the password"
    assert reasons["command 17: executeScript"] == "scripts are not run"
    assert {reasons[each] for each in reasons if each.endswith((": if", ": end"))} == {
        "conditions and loops are not run"
    }
    assert reasons["command 4: type"] == "it uses a variable of which no value is stored before"
    assert [step["do"] for step in answer.flow["steps"]] == [
        *("navigate", "fill", "fill", "press", "expect"),
        *("fill", "select", "hover", "wait_for", "expect", "frame", "click", "frame", "window", "expect"),
    ]
    assert answer.flow["steps"][5]["value"] == "a kettle"
    assert answer.flow["steps"][8]["timeout_seconds"] == 30
    assert [told.steps for told in of_this_test if told.recorded.startswith("command 21")] == [[14]]
    assert answer.valid
    assert PASSWORD not in answer.model_dump_json()


@pytest.mark.parametrize(
    "selector", ["#passwort", "aria/Mot de passe", "input[name='pwd']", "text/パスワード", "aria/PIN"]
)
def test_a_password_is_known_by_its_field(selector: str) -> None:
    typed = {"type": "change", "value": PASSWORD, "selectors": [[selector]]}
    again = {"type": "change", "value": PASSWORD, "selectors": [["#repeat"]]}
    spelt = {"type": "navigate", "url": f"https://a.example/?p={PASSWORD}"}
    answer = imported(of(typed, again, spelt))
    assert [step.get("value") for step in answer.flow["steps"]] == [None, "{{password}}", "{{password}}"]
    assert [fate for _, fate in fates(answer)] == ["kept", "changed", "changed", "unsupported"]
    assert PASSWORD not in answer.model_dump_json()


def test_a_one_time_code_is_lifted_too() -> None:
    answer = imported(of({"type": "change", "value": "492039", "selectors": [["#totp-code"], ["aria/One-time code"]]}))
    assert answer.flow["steps"][1]["value"] == "{{totp}}"
    assert [each.value for each in answer.credentials] == ["totp"]


def test_without_anything_positive_the_report_says_what_to_add() -> None:
    answer = imported(of({"type": "click", "selectors": [["#x"]]}))
    assert not answer.valid
    assert "needs something positive" in answer.errors[0].message


def test_a_recording_that_begins_nowhere_begins_where_the_check_does() -> None:
    typed = {"type": "change", "value": PASSWORD, "selectors": [["#password"]]}
    answer = imported({"steps": [typed, {"type": "waitForElement", "selectors": [["#in"]]}]})
    assert [step["do"] for step in answer.flow["steps"]] == ["navigate", "fill", "expect"]
    assert [each.field for each in answer.credentials] == ["steps.1.value"]
    assert answer.report[0].fate == "added"
    assert answer.valid


@pytest.mark.parametrize(
    "steps",
    [None, [], [5, None], [{"type": 5}], [{"type": "click"}], [{"type": "change", "selectors": [[1]], "value": 3}],
     [{"type": "click", "selectors": "x", "frame": 7}], [{"type": "click", "selectors": [[]], "assertedEvents": [5]}]],
)  # fmt: skip
def test_nonsense_is_told_and_breaks_nothing(steps: Any) -> None:
    answer = import_recording(RecordingSent(format="devtools_recorder", recording={"steps": steps}))
    assert not answer.valid
    side = {"tests": [{"name": "x", "commands": steps}]}
    assert not import_recording(RecordingSent(recording=side)).valid


def test_where_a_recording_came_to_before_it_orders_is_expected() -> None:
    def click(text: str, path: str) -> dict[str, Any]:
        events = [{"type": "navigation", "url": f"https://a.example{path}"}]
        return {"type": "click", "selectors": [[f"text/{text}"]], "assertedEvents": events}

    answer = imported(of(click("To the checkout", "/checkout"), click("Place order", "/thanks")))
    assert answer.valid, answer.errors
    assert [step["do"] for step in answer.flow["steps"]] == ["navigate", "click", "expect", "click"]
    assert answer.flow["steps"][2]["url_contains"] == "/checkout"
    assert answer.flow["steps"][3]["final"]
    assert fates(answer)[-1] == ("before the final step", "added")


GOES_ON = {"type": "click", "selectors": [["#a"]], "assertedEvents": [{"url": "https://a.example/there"}]}


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"type": "navigate", "url": 5}, "step 2: navigate"),
        ({"type": "click", "selectors": [["#b"]], "frame": 5}, "step 2: click"),
        ({"type": "keyDown", "key": "Enter", "frame": True}, "step 2: keyDown"),
        ({"type": "click", "selectors": [["#b"]], "assertedEvents": 5}, "step 2: what click leads to"),
    ],
)
def test_what_can_t_be_read_of_a_step_is_left_out_and_told(step: dict[str, Any], told: str) -> None:
    assert (told, "unsupported") in fates(imported(of(step, GOES_ON)))


def command(name: str, target: str = "", **more: Any) -> dict[str, Any]:
    return {"command": name, "target": target, "value": "", **more}


def test_what_can_t_be_read_of_a_command_is_told() -> None:
    commands = [command("open", "//["), command("click", "id=a", targets=5)]
    answer = imported({"url": "https://a.example", "tests": [{"name": "x", "commands": commands}]})
    told = {each.recorded: (each.fate, each.reason) for each in answer.report}
    assert told["command 1: open"] == ("unsupported", "its URL can't be read")
    assert told["command 2: click"] == ("changed", "its other targets can't be read")


def test_a_test_that_runs_itself_is_read_so_far_only() -> None:
    itself = {"name": "x", "commands": [command("click", "id=a"), *[command("run", "x")] * 12]}
    answer = imported({"tests": [itself]})
    assert len(answer.report) < 1100
    assert [each.reason for each in answer.report].count("it is too much: nothing is read from here on") == 1


def test_a_variable_that_doubles_itself_is_left_out_in_time() -> None:
    twice = [command("store", "${a}${a}", value="a")] * 40
    commands = [command("store", "x", value="a"), *twice, command("open", "/${a}")]
    answer = imported({"tests": [{"name": "x", "commands": commands}]})
    assert len(answer.model_dump_json()) < 100_000


async def test_what_is_no_recording_is_refused(api: httpx.AsyncClient) -> None:
    assert fields(await api.post("/flows/import", json={"recording": {}})) == ["recording"]
    assert fields(await api.post("/flows/import", json={"recording": {"tests": []}})) == ["test"]
    named = await api.post("/flows/import", json={"recording": recording("selenium_login.side"), "test": "No"})
    assert fields(named) == ["test"]
    assert "but: Log in, Everything" in named.text
    assert fields(await api.post("/flows/import", json={"recording": {}, "format": "katalon"})) == ["format"]
