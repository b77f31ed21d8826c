"""Forms that hide: in frames, closed shadow roots, menus, behind choices and banners; in many languages."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any
from urllib.parse import quote

import pytest

from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials, Marker
from tests.runner.browser.conftest import GOOD, served
from tests.runner.browser.sites import make_app

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]
WRONG = Credentials("probe", "last-years")


@pytest.fixture
async def other_site() -> AsyncIterator[str]:
    """The same sites at another origin."""
    async with served(make_app()) as url:
        yield url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize(
    "page",
    [
        "both",
        "unnamed",  # no name, no label, the first button is not the one
        "closed_shadow",  # two closed shadow roots deep
        "menu",  # an icon opens a menu, whose item opens a dialog; a guide for users is elsewhere
        "guest",  # a menu that is called what one is before the log-in
        "tooltip",  # the log-in link has a long one
        "choice",  # "use password instead"
        "very_late",  # drawn after 3.5 s
        "consent_wall",  # drawn once a consent dialog in a frame is answered
        "consent_banner",  # covered by a banner in a shadow root
        "fading_banner",  # covered by one that takes its time to go
        "leads_on",  # a script leads on while it is looked at
        "redrawn_opener",  # drawn anew between the look and the click
        "replaced_fields",  # drawn anew while it is being filled
        "name_step",  # name first; leads to an account's page with fields of its own
    ],
)
async def test_finds_and_fills(check: Check, site: str, page: str) -> None:
    report = await check(f"{site}/{page}", patience_seconds=8)
    assert report.outcome.code == "success", report
    assert report.final_url == f"{site}/{'profile' if page == 'name_step' else 'account'}"


@pytest.mark.parametrize("page", ["unnamed", "closed_shadow", "menu"])
async def test_tells_a_refusal_there_as_well(check: Check, site: str, page: str) -> None:
    report = await check(f"{site}/{page}?page={page}", credentials=WRONG, patience_seconds=4)
    assert report.outcome.code == "credentials_rejected", report
    assert "Wrong user name or password." in report.outcome.message


async def test_a_form_in_nested_frames_of_the_same_site(check: Check, site: str) -> None:
    report = await check(f"{site}/nested_frames", patience_seconds=5)
    assert report.outcome.code == "success", report


async def test_a_form_in_frames_of_another_site_is_found_and_refuses(check: Check, site: str, other_site: str) -> None:
    # Its cookies do not count in a frame of another site, so only the refusal can be told.
    entry = f"{site}/nested_frames?other={quote(other_site)}"
    report = await check(entry, credentials=WRONG, patience_seconds=5)
    assert report.outcome.code == "credentials_rejected", report


async def test_a_frame_that_cannot_be_loaded_breaks_nothing_else(check: Check, site: str, closed_url: str) -> None:
    report = await check(f"{site}/broken_frame?other={quote(closed_url)}", patience_seconds=4)
    assert report.outcome.code == "success", report


async def test_a_form_s_own_frame_that_cannot_be_loaded_is_told(check: Check, site: str, closed_url: str) -> None:
    inside = quote(f"{site}/static/frame_to?to={quote(closed_url)}", safe="")
    report = await check(f"{site}/broken_frame?other={inside}", patience_seconds=4)
    assert report.outcome.code == "connection_refused", report


@pytest.mark.parametrize(
    ("name", "word", "button", "refusal"),
    [
        ("Benutzername", "Kennwort", "Anmelden", "Benutzername oder Kennwort ist falsch."),
        ("Identifiant", "Mot de passe", "Se connecter", "Identifiant ou mot de passe incorrect."),
        ("ユーザーID", "パスワード", "ログイン", "ユーザーIDまたはパスワードが正しくありません"),
        ("Логин", "Пароль", "Войти", "Неверный логин или пароль"),
    ],
)
async def test_other_languages(check: Check, site: str, name: str, word: str, button: str, refusal: str) -> None:
    entry = f"{site}/both?name={quote(name)}&word={quote(word)}&button={quote(button)}&refusal={quote(refusal)}"
    assert (await check(entry)).outcome.code == "success"
    report = await check(entry, credentials=WRONG)
    assert (report.outcome.code, report.outcome.message) == ("credentials_rejected", f"The site says: “{refusal}”")


async def test_a_name_that_the_server_is_asked_about_first_is_not_refused_by_that(check: Check, site: str) -> None:
    report = await check(f"{site}/asked_name", patience_seconds=4)
    assert report.outcome.code == "success", report
    report = await check(f"{site}/asked_name", credentials=WRONG, patience_seconds=4)
    assert report.outcome.code == "credentials_rejected", report


async def test_a_log_in_page_that_logs_out_whoever_opens_it(check: Check, site: str) -> None:
    report = await check(f"{site}/forgetful")
    assert report.outcome.code == "success", report


async def test_another_form_behind_the_log_in_is_not_the_log_in(check: Check, site: str) -> None:
    report = await check(f"{site}/connects", patience_seconds=4)
    assert report.outcome.code == "success", report
    report = await check(f"{site}/connects", credentials=WRONG, patience_seconds=4)
    assert report.outcome.code == "credentials_rejected", report


async def test_a_tab_that_hides_the_form_is_chosen(check: Check, site: str) -> None:
    report = await check(f"{site}/tabs", patience_seconds=4)
    assert report.outcome.code == "success", report


async def test_a_script_that_did_not_come_is_told(check: Check, site: str, closed_url: str) -> None:
    report = await check(f"{site}/needs_script?other={quote(closed_url)}", patience_seconds=2)
    assert report.outcome.code == "login_form_not_found"
    missing = f"A script of {closed_url.removeprefix('http://')} could not be loaded (ERR_CONNECTION_REFUSED)."
    assert missing in report.outcome.message


async def test_a_page_with_nothing_but_another_way_says_so(check: Check, site: str) -> None:
    report = await check(f"{site}/only_sso", patience_seconds=2)
    assert report.outcome.code == "login_form_not_found"
    assert "Only another way to log in is offered: “Continue with Google”." in report.outcome.message


async def test_a_single_page_application_that_keeps_its_token_for_the_tab(check: Check, site: str) -> None:
    report = await check(f"{site}/storage", patience_seconds=4)
    assert report.outcome.code == "success", report
    report = await check(f"{site}/storage", credentials=WRONG, patience_seconds=4)
    assert report.outcome.message == "The site says: “Credenciales incorrectas”"


@pytest.mark.parametrize("how", ["for ever", "again and again"])
async def test_a_page_that_listens_for_news_without_end_is_taken_as_it_is(check: Check, site: str, how: str) -> None:
    report = await check(f"{site}/storage?listens={quote(how)}", patience_seconds=4)
    assert report.outcome.code == "success", report


async def test_a_session_that_is_gone_after_a_reload_is_none(check: Check, site: str) -> None:
    report = await check(f"{site}/storage?keep=no", patience_seconds=4)
    assert report.outcome.code == "login_not_confirmed"
    assert "asks to log in again" in report.outcome.message


async def test_a_landing_page_that_is_only_a_fragment_is_loaded_anew_all_the_same(check: Check, site: str) -> None:
    report = await check(f"{site}/static/fragment", patience_seconds=4)
    assert report.outcome.code == "session_not_kept", report


async def test_a_site_that_shows_its_form_to_everybody_is_judged_by_where_it_led(check: Check, site: str) -> None:
    entry = f"{site}/static/always_form"
    assert (await check(f"{entry}?to=/account")).outcome.code == "success"
    # No log-out control, but strangers are sent away from there.
    assert (await check(f"{entry}?to=/plain-account")).outcome.code == "success"
    # Nothing there that strangers would not see.
    assert (await check(f"{entry}?to=/static/words")).outcome.code == "login_not_confirmed"


@pytest.mark.parametrize(
    ("marker", "code"),
    [
        (Marker(css="h1.greeting"), "success"),
        (Marker(text="my  DASHBOARD"), "success"),
        (Marker(css="h1.farewell"), "login_not_confirmed"),
    ],
)
async def test_a_marker_decides(check: Check, site: str, marker: Marker, code: str) -> None:
    task = CheckTask("login", f"{site}/storage", GOOD, signed_in_marker=marker)
    report = await check("", checks=(task,), patience_seconds=3)
    assert report.outcome.code == code, report


async def test_a_marker_that_is_no_selector_is_said_to_be_none(check: Check, site: str) -> None:
    task = CheckTask("login", f"{site}/both", GOOD, signed_in_marker=Marker(css="h1:::"))
    report = await check("", checks=(task,), patience_seconds=2)
    assert report.outcome.code == "login_not_confirmed"
    assert "is no CSS selector" in report.outcome.message


async def test_a_marker_that_a_reload_takes_away(check: Check, site: str) -> None:
    task = CheckTask("login", f"{site}/storage?keep=no", GOOD, signed_in_marker=Marker(css="h1.greeting"))
    report = await check("", checks=(task,), patience_seconds=2)
    assert report.outcome.code == "session_not_kept", report
