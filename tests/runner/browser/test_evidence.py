"""What is kept of a check: the pictures of its steps, its network, its console; and that no secret is in any of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from services.embedded.process import LOOPBACK
from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials
from tests.patience import PATIENCE_SECONDS

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]

PASSWORD = "Pw-8c6976e5b5"
TOTP_SECRET = "KRSXG5CTMVRXEZLU"
COOKIE = "cookie-b5410415bde9"
BEARER = "bearer-8bd6918a66d4"
IN_URL = "ticket-e9a1b2c3d4f5"
IN_JSON = "json-77c1a2b3c4d5e6"
IN_FIELD = "field-4e07408562be"
IN_META = "meta-4b227777d4dd"
LOGGED = "logged-ef2d127de37b"
SECRETS = (PASSWORD, TOTP_SECRET, COOKIE, BEARER, IN_URL, IN_JSON, IN_FIELD, IN_META, LOGGED)

PAGE = f"""<!doctype html><title>Log in</title><meta name="csrf-token" content="{IN_META}"><body>
<form onsubmit="return false"><input type="hidden" name="_csrf" value="{IN_FIELD}">
<label>User name <input name="username"></label><label>Password <input type="password" name="password"></label>
<button onclick="go()">Log in</button></form><p role="alert" id="said"></p><pre id="shown"></pre><script>
async function go() {{
  const password = document.querySelector("[name=password]").value;
  const answer = await (await fetch("/api/login?ticket={IN_URL}", {{
    method: "POST", body: JSON.stringify({{password}}), headers: {{Authorization: "Bearer {BEARER}"}} }})).json();
  const all = [password, "{TOTP_SECRET}", document.cookie, "{BEARER}", "{IN_URL}", JSON.stringify(answer),
    "{IN_FIELD}", "{IN_META}"].join(" ");
  console.error("refused: token=" + "{LOGGED[:9]}" + "{LOGGED[9:]}");
  new Image().src = "/seen/{IN_FIELD}";
  console.log(all); console.warn(all); console.error(all);
  shown.textContent = all; document.title = all;
  history.replaceState(null, "", "/login?ticket={IN_URL}&said=" + password);
  said.textContent = "Wrong password: " + password;
  setTimeout(() => {{ throw new Error("12345" + password.repeat(300)) }});
  throw new Error(all);
}}
</script>"""

# What a message says of a dialog is cut at 200 characters, here in the middle of the secret.
SHOUTING = """<!doctype html><title>Log in</title><body><form onsubmit="return false">
<label>User name <input name="username"></label><label>Password <input type="password" name="password"></label>
<button onclick="alert('x'.repeat(193) + ' ' + document.querySelector('[name=password]').value)">Log in</button>
</form>"""


@pytest.fixture
async def leaking() -> AsyncIterator[str]:
    """A site that tells everything it knows, in every place, and lets nobody in."""

    async def login(_: web.Request) -> web.Response:
        answer = web.Response(text=PAGE, content_type="text/html")
        answer.set_cookie("shop_session", COOKIE, path="/")
        return answer

    async def api(_: web.Request) -> web.Response:
        return web.json_response({"access_token": IN_JSON, "error": "no"}, status=401)

    async def shout(_: web.Request) -> web.Response:
        return web.Response(text=SHOUTING, content_type="text/html")

    app = web.Application()
    app.router.add_get("/login", login)
    app.router.add_get("/shout", shout)
    app.router.add_post("/api/login", api)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    await runner.cleanup()


def piece(report: AttemptReport, name: str) -> Any:
    return json.loads(next(item.content for item in report.evidence if item.name == name))


async def test_no_secret_is_in_anything_that_leaves_an_attempt(
    check: Check, leaking: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    credentials = Credentials("probe", PASSWORD, TOTP_SECRET)
    report = await check(f"{leaking}/login", credentials=credentials, step_screenshots="always")
    assert report.outcome.code == "credentials_rejected"
    logged = "".join(capfd.readouterr()) + caplog.text
    told = {"the report": repr(report), "what was logged": logged}
    told |= {item.name: item.content.decode("latin-1") for item in report.evidence}
    assert {"page.html", "network.json", "console.json", "screenshot.jpg"} < told.keys()
    leaks = [(where, secret) for where, text in told.items() for secret in SECRETS if secret in text]
    assert leaks == []
    # A cut text holds no beginning of one either.
    assert not [where for where, text in told.items() if PASSWORD[:6] in text]


async def test_no_half_of_a_secret_is_left_at_the_end_of_what_a_dialog_said(check: Check, leaking: str) -> None:
    report = await check(f"{leaking}/shout", credentials=Credentials("probe", PASSWORD))
    assert report.outcome.code == "unexpected_dialog"
    assert "xxx ***" in report.outcome.message
    assert PASSWORD[:3] not in repr(report)


async def test_the_network_is_told_with_times_and_statuses(check: Check, leaking: str) -> None:
    report = await check(f"{leaking}/login")
    network = piece(report, "network.json")
    page, api = [entry for entry in network["entries"] if entry["type"] in ("Document", "Fetch")]
    assert (page["method"], page["url"], page["status"]) == ("GET", f"{leaking}/login", 200)
    assert page["remote_address"] == leaking.removeprefix("http://")
    assert page["protocol"] == "http/1.1"
    assert 0 <= page["wait_ms"] <= page["total_ms"]
    assert page["bytes"] > len(PAGE)
    assert (api["method"], api["url"], api["status"]) == ("POST", f"{leaking}/api/login?ticket=***", 401)
    assert page["start_ms"] < api["start_ms"]
    assert network["dropped"] == 0
    told = json.dumps(network).lower()
    assert not [word for word in ("cookie", "authorization", "postdata", "body") if word in told]


async def test_the_console_is_told_with_its_warnings(check: Check, leaking: str) -> None:
    report = await check(f"{leaking}/login")
    entries = piece(report, "console.json")["entries"]
    assert {(entry["level"], entry["source"]) for entry in entries} >= {
        ("warning", "script"),
        ("error", "script"),
        ("error", "exception"),
        ("error", "network"),
    }
    assert report.console_errors
    assert all(len(entry["text"]) <= 500 for entry in entries)


async def test_a_failed_check_shows_a_picture_beside_each_step(check: Check, shop: str) -> None:
    report = await check(f"{shop}/initech/login", credentials=Credentials("probe", "last-years"))
    steps = {step.name: step.evidence for step in report.checks[0].steps}
    assert steps["fill the log-in form"] == "step-03-fill-the-log-in-form.jpg"
    assert steps["submit"] == "step-04-submit.jpg"
    assert steps["see what happens"] == "screenshot.jpg"
    # Every step did what it was to do, and the last one found out that nobody is let in.
    assert [step.name for step in report.checks[0].steps if not step.ok] == ["see what happens"]
    kept = {item.name: item for item in report.evidence}
    pictures = [kept[name] for name in steps.values() if name is not None]
    assert all(item.content_type == "image/jpeg" and item.content[:3] == b"\xff\xd8\xff" for item in pictures)


async def test_a_step_that_broke_off_shows_the_last_page(check: Check, shop: str) -> None:
    report = await check(f"{shop}/circle/login")
    [step] = report.checks[0].steps
    assert (step.ok, step.evidence) == (False, "screenshot.jpg")


@pytest.mark.parametrize(("policy", "pictures"), [("always", True), ("on_failure", False), ("never", False)])
async def test_a_passed_check_keeps_pictures_of_its_steps_only_always(
    check: Check, shop: str, policy: str, pictures: bool
) -> None:
    report = await check(f"{shop}/acme/login", step_screenshots=policy)
    assert report.outcome.code == "success"
    names = {item.name for item in report.evidence}
    assert "screenshot.jpg" in names
    assert any(name.startswith("step-") for name in names) is pictures
    assert any(step.evidence for step in report.checks[0].steps) is pictures
    assert all(step.ok for step in report.checks[0].steps)


async def test_never_is_never(check: Check, shop: str) -> None:
    report = await check(f"{shop}/initech/login", credentials=Credentials("probe", "no"), step_screenshots="never")
    assert not [item.name for item in report.evidence if item.name.startswith("step-")]
    assert not any(step.evidence for step in report.checks[0].steps)


async def test_the_evidence_of_each_check_is_kept_and_the_first_failure_is_told(check: Check, shop: str) -> None:
    wrong = Credentials("probe", "last-years")
    checks = (
        CheckTask("login", f"{shop}/initech/login", wrong),
        CheckTask("product_page", f"{shop}/acme/product", None),
    )
    report = await check("", checks=checks)
    names = {item.name for item in report.evidence}
    assert {"login-screenshot.jpg", "product_page-screenshot.jpg", "login-step-03-fill-the-log-in-form.jpg"} <= names
    assert report.final_url == f"{shop}/initech/login"


async def test_a_page_that_hangs_is_given_up_in_time_and_its_network_is_told(check: Check, shop: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        report = await check(f"{shop}/stuck/login", timeout_seconds=8)
    assert report.outcome.code in ("page_timeout", "connection_timeout"), report.outcome
    pending = piece(report, "network.json")["entries"][-1]
    assert (pending["method"], pending["status"]) == ("POST", None)
