"""Which element a locator finds on a real page, what happens when the first one stops matching, and the other steps."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from services.embedded.process import LOOPBACK
from services.runner.browser import evidence
from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials
from shared.domain.flow import Flow

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]

SECRET = "JBSWY3DPEHPK3PXP"
CANARY = Credentials("probe-user", "canary-pw-93x", SECRET)
SAY = "<script>const say = (text) => { document.getElementById('said').textContent = text; };</script><p id='said'></p>"
PAGES = {
    "kinds": """
        <p hidden>Press me</p><button hidden id="b0" onclick="say('hidden')">Press me</button>
        <button id="b1" disabled onclick="say('disabled')">Press me</button>
        <button id="b2" onclick="say('pressed')"><span>Press</span> <b>me</b></button>
        <a href="#x" id="a1" aria-label="Basket, 2 items" onclick="say('basket')">B</a>
        <input type="submit" value="Send it" onclick="say('sent')">
        <label for="f1">First name</label><input id="f1" onchange="say('first ' + this.value)">
        <label>Country <select id="c" onchange="say('country ' + this.value)">
          <option value="">-</option><option value="de">Germany</option>
          <option value="fr" disabled>France</option></select></label>
        <input placeholder="Search here" onkeydown="if (event.key === 'Enter') say('searched ' + this.value)">
        <input type="date" aria-label="Day" onchange="say('day ' + this.value)">
        <div contenteditable="true" role="textbox" aria-label="Message" oninput="say('wrote ' + this.innerText)"></div>
        <div id="menu" onmouseenter="say('hovered')" style="width: 50px; height: 20px">Menu</div>
        <div id="twice" ondblclick="say('twice')">Twice</div>
        <my-box></my-box><shut-box></shut-box>
        <script>
          const open = document.querySelector("my-box").attachShadow({ mode: "open" });
          open.innerHTML = "<button class='deep' onclick=\\"say('deep')\\">Deep one</button>";
          const shut = document.querySelector("shut-box").attachShadow({ mode: "closed" });
          shut.innerHTML = "<button class='inner'>Shut one</button>";
          shut.querySelector("button").onclick = () => say("shut");
        </script>""",
    "frame": "<h1>Outside</h1><script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', "
    "'<iframe id=inner src=/inner></iframe>'), 400)</script>",
    "inner": "<button onclick=\"document.body.textContent = 'Inside it is'\">Go</button>",
    "opener": "<h1>Opener</h1><button onclick=\"window.open('/second')\">Open</button>",
    "second": "<title>The second</title><h1>Second window</h1>",
    "late": "<script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', "
    "'<button id=late>Late</button>'), 900)</script>",
    "changing": '<input id=card oninput="this.value = this.value.toUpperCase()">',
    "code": "<input id=code oninput='say(\"code of \" + this.value.length)'><input id=plain>",
}


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def page(request: web.Request) -> web.Response:
        html = PAGES.get(request.match_info["name"])
        if html is None:
            raise web.HTTPNotFound
        return web.Response(text=f"<!doctype html><body>{SAY}{html}</body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/{name}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, LOOPBACK, 0)
    await listener.start()
    assert runner.addresses
    yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    await runner.cleanup()


def by_flow(url: str, *steps: dict[str, Any]) -> CheckTask:
    flow = Flow.model_validate({"steps": [{"do": "navigate"}, *steps]})
    return CheckTask("product_page", url, CANARY, flow=flow)


def said(text: str) -> dict[str, Any]:
    return {"do": "expect", "text_visible": text}


def click(*locators: dict[str, Any]) -> dict[str, Any]:
    return {"do": "click", "locators": list(locators)}


def fill(value: str, *locators: dict[str, Any]) -> dict[str, Any]:
    return {"do": "fill", "locators": list(locators), "value": value}


async def test_every_way_to_name_an_element(check: Check, site: str) -> None:
    steps = [
        # Of several, the first that can be used.
        *(click({"text": "press ME"}), said("pressed")),
        *(click({"css": "#a1"}), said("basket")),
        *(click({"text": "Send it"}), said("sent")),
        *(click({"role": "button", "name": "Press me"}), said("pressed")),
        *(click({"role": "link", "name": "Basket"}), said("basket")),
        *(click({"xpath": "//button[@id='b2']"}), said("pressed")),
        *(click({"css": ".deep"}), said("deep")),
        *(click({"shadow": ["my-box", "button"]}), said("deep")),
        *(click({"shadow": ["shut-box", ".inner"]}), said("shut")),
        *(click({"text": "Deep one"}), said("deep")),
        *(fill("Ada", {"label": "First name"}), {"do": "press", "key": "Tab"}, said("first Ada")),
        *(fill("kettle", {"label": "Search here"}), {"do": "press", "key": "Enter"}, said("searched kettle")),
        *(fill("2026-11-21", {"label": "Day"}), said("day 2026-11-21")),
        *(fill("Hello", {"role": "textbox", "name": "Message"}), said("wrote Hello")),
        *({"do": "select", "locators": [{"label": "Country"}], "option_text": "Germany"}, said("country de")),
        *({"do": "hover", "locators": [{"css": "#menu"}]}, said("hovered")),
        *({"do": "click", "double": True, "locators": [{"text": "Twice"}]}, said("twice")),
    ]
    report = await check("", checks=(by_flow(f"{site}/kinds", *steps),))
    assert report.outcome.code == "success", [report.outcome, report.checks[0].steps[-1]]
    assert report.checks[0].warnings == ()


@pytest.mark.parametrize(
    ("locator", "state"),
    [
        ({"css": "#b0"}, "css #b0 (not visible)"),
        ({"css": "#b1"}, "css #b1 (disabled)"),
        ({"shadow": ["my-box", "nav"]}, "shadow my-box >> nav (not there)"),
        ({"role": "button", "name": "Nothing"}, "role button “Nothing” (not there)"),
    ],
)
async def test_why_a_locator_does_not_do(check: Check, site: str, locator: dict[str, Any], state: str) -> None:
    step = {**click(locator), "timeout_seconds": 0.3}
    report = await check("", checks=(by_flow(f"{site}/kinds", step, said("never")),))
    assert (report.outcome.code, state in report.outcome.message) == ("element_missing", True), report.outcome


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (click({"css": "]["}), "css ]["),
        (click({"xpath": "//button[@id="}), "xpath //button[@id="),
        (click({"css": "#no-such"}, {"css": "a[["}), "css a[["),
        ({**click({"css": "a[["}), "allow_failure": True}, "css a[["),
        ({"do": "expect", "element_absent": [{"css": "a[["}]}, "css a[["),
        (click({"shadow": ["shut-box", "a[["]}), "shadow shut-box >> a[["),
    ],
)
async def test_a_locator_that_no_browser_can_read_is_our_own_fault(
    check: Check, site: str, step: dict[str, Any], named: str
) -> None:
    report = await check("", checks=(by_flow(f"{site}/kinds", {**step, "timeout_seconds": 0.3}, said("never")),))
    assert report.outcome.code == "internal_error", report.outcome
    told = f"The configuration can't be used: Step 2. {step['do']}: {named} can't be read by the browser"
    assert told in report.outcome.message
    assert report.traceback is None


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"do": "select", "locators": [{"css": "#menu"}], "option_text": "Germany"}, "what was found is not a list"),
        ({"do": "select", "locators": [{"css": "#c"}], "option_text": "France"}, "“France” can't be chosen"),
        ({"do": "select", "locators": [{"css": "#c"}], "option_value": "it"}, "the list has no option “it”"),
        ({"do": "fill", "locators": [{"css": "#c"}], "value": "fr"}, "“fr” can't be chosen"),
    ],
)
async def test_an_option_that_can_t_be_chosen_is_missing(
    check: Check, site: str, step: dict[str, Any], why: str
) -> None:
    report = await check("", checks=(by_flow(f"{site}/kinds", step, said("never")),))
    assert (report.outcome.code, why in report.outcome.message) == ("element_missing", True), report.outcome


async def test_drift_is_told_and_does_not_fail(check: Check, site: str) -> None:
    steps = [click({"css": "#renamed"}, {"xpath": "//h7"}, {"text": "Press me"}), said("pressed")]
    report = await check("", checks=(by_flow(f"{site}/kinds", *steps),))
    assert report.outcome.code == "success"
    drift = "its first locator, css #renamed, matches no more; text “Press me” was used"
    assert report.checks[0].warnings == (f"2. click: {drift}.",)
    assert drift in report.checks[0].steps[1].detail


async def test_what_comes_late_is_awaited_and_is_no_drift(check: Check, site: str) -> None:
    wait = {"do": "wait_for", "locators": [{"css": "#late"}, {"text": "Late"}]}
    seen = {"do": "expect", "element_visible": [{"css": "#late"}]}
    report = await check("", checks=(by_flow(f"{site}/late", wait, seen),))
    assert report.outcome.code == "success", report
    assert report.checks[0].warnings == ()
    gone = {"do": "wait_for", "locators": [{"css": "h1"}], "until": "absent", "timeout_seconds": 0.3}
    report = await check("", checks=(by_flow(f"{site}/opener", gone, said("Opener")),))
    assert report.outcome.code == "assertion_failed"


async def test_frames_are_awaited_entered_and_left(check: Check, site: str) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "frame", "locators": [{"css": "#inner"}]},
        click({"text": "Go"}),
        said("Inside it is"),
        {"do": "frame"},
        said("Outside"),
    ]
    report = await check("", checks=(by_flow(f"{site}/frame", *steps),))
    assert report.outcome.code == "success", report
    report = await check(
        "", checks=(by_flow(f"{site}/opener", {"do": "frame", "locators": [{"css": "h1"}]}, said("x")),)
    )
    assert report.outcome.message == "Step 2. frame: what was found is not a frame."


async def test_windows_are_awaited_and_left(check: Check, site: str) -> None:
    steps: list[dict[str, Any]] = [
        click({"text": "Open"}),
        {"do": "window", "to": "newest"},
        {"do": "expect", "title_contains": "The second"},
        {"do": "window", "to": "first"},
        said("Opener"),
    ]
    report = await check("", checks=(by_flow(f"{site}/opener", *steps),))
    assert report.outcome.code == "success", report.checks[0].steps
    none = {"do": "window", "to": "newest", "timeout_seconds": 0.3}
    report = await check("", checks=(by_flow(f"{site}/opener", none, said("x")),))
    assert report.outcome.message == "Step 2. window: no other window opened within 0.3 s."


async def test_a_page_that_changes_what_was_typed_is_no_failure(check: Check, site: str) -> None:
    steps = [fill("abc", {"css": "#card"}), {"do": "expect", "element_visible": [{"css": "#card"}]}]
    report = await check("", checks=(by_flow(f"{site}/changing", *steps),))
    assert report.outcome.code == "success", report
    assert "(the page changed what was typed)" in report.checks[0].steps[1].detail


async def test_a_code_is_typed_and_never_told(check: Check, site: str) -> None:
    steps: list[dict[str, Any]] = [{"do": "totp", "locators": [{"css": "#code"}]}, said("code of 6")]
    report = await check("", checks=(by_flow(f"{site}/code", *steps),), timeout_seconds=60)
    assert report.outcome.code == "success", report
    assert SECRET not in str(report)


async def test_pictures_are_kept_and_leave_the_page_as_it_is(check: Check, site: str) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "screenshot"},
        fill("{{password}}", {"css": "#plain"}),
        {"do": "screenshot", "name": "the field"},
        {"do": "expect", "element_visible": [{"css": "#plain"}]},
    ]
    report = await check("", checks=(by_flow(f"{site}/code", *steps),))
    assert report.outcome.code == "success", report
    pictures = {item.name: item.content[:4] for item in report.evidence if item.name.startswith("product-page-step")}
    assert pictures == {"product-page-step-2.jpg": b"\xff\xd8\xff\xe0", "product-page-step-4.jpg": b"\xff\xd8\xff\xe0"}
    everything = json.dumps([str(report), [item.content.decode("latin-1") for item in report.evidence]])
    assert CANARY.password not in everything


async def test_a_picture_that_never_comes_does_not_end_the_flow(
    check: Check, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(evidence, "take_jpeg", never)
    report = await check("", checks=(by_flow(f"{site}/opener", {"do": "screenshot"}, said("Opener")),))
    assert report.outcome.code == "success", report
