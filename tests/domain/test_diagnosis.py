"""One sentence for each failing check, from the checks around it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.diagnosis import Cell, Culprit, diagnose
from shared.domain.outcome import CATALOGUE
from shared.domain.state import State

NOW = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
TEN = NOW.replace(hour=10, minute=2)
HALF_PAST, LATER = TEN.replace(minute=30), TEN.replace(minute=45)


def cell(partner: str, browser: str, code: str = "success", **change: Any) -> Cell:
    """Failing since 10:02 when `code` is a partner's failure; what is ours changes no state."""
    outcome_class = CATALOGUE[code].outcome_class
    failing = outcome_class.value == "partner_failure"
    given: dict[str, Any] = {
        "partner": partner,
        "partner_name": partner.title(),
        "browser": browser,
        "check": "login",
        "state": State.FAILING if failing else State.WORKING,
        "since": TEN,
        "code": code,
        "outcome_class": outcome_class,
        "at": TEN,
    }
    return Cell(**(given | change))


def grid(
    partners: Sequence[str], browsers: Sequence[str], bad: dict[tuple[str, str], str], **change: Any
) -> list[Cell]:
    return [cell(p, b, bad.get((p, b), "success"), **change) for p in partners for b in browsers]


THREE = ("chromium", "firefox", "webkit")
FIVE = ("acme", "globex", "initech", "umbrella", "wonka")
DOWN = "connection_refused"

CASES: dict[str, tuple[list[Cell], Culprit, str]] = {
    "all browsers of one partner": (
        grid(FIVE, THREE, {("acme", browser): DOWN for browser in THREE}),
        Culprit.PARTNER,
        "Fails in 3 of 3 browsers since 10:02 UTC: it is Acme’s side.",
    ),
    "most browsers of one partner": (
        grid(FIVE, THREE, {("acme", "chromium"): DOWN, ("acme", "firefox"): DOWN}),
        Culprit.PARTNER,
        "Fails in 2 of 3 browsers since 10:02 UTC: it is most likely Acme’s side.",
    ),
    "its only browser, others work": (
        grid(FIVE, ["chromium"], {("acme", "chromium"): DOWN}),
        Culprit.PARTNER,
        (
            "Fails in its only browser since 10:02 UTC, while 4 of 4 other partners work in chromium: it is most likely"
            " Acme’s side."
        ),
    ),
    "the only partner in its only browser": (
        [cell("acme", "chromium", DOWN)],
        Culprit.PARTNER,
        (
            "Fails in its only browser since 10:02 UTC, and there is no other partner to compare with: it is most"
            " likely Acme’s side."
        ),
    ),
    "one pairing": (
        grid(FIVE, THREE, {("acme", "chromium"): "login_form_not_found"}),
        Culprit.PAIRING,
        (
            "Fails in 1 of 3 browsers since 10:02 UTC, and 4 of 4 other partners work in chromium: it is this pairing,"
            " Acme in chromium."
        ),
    ),
    "one browser across partners": (
        grid(FIVE, THREE, {(partner, "chromium"): "page_timeout" for partner in FIVE}),
        Culprit.BROWSER,
        (
            "Fails for 5 of 5 partners in chromium since 10:02 UTC, and 5 of 5 of them work in other browsers: it is"
            " chromium."
        ),
    ),
    "one browser across partners, by trouble of ours": (
        grid(FIVE, THREE, {(partner, "chromium"): "browser_crashed" for partner in FIVE[:4]}),
        Culprit.BROWSER,
        (
            "Fails for 4 of 5 partners in chromium since 10:02 UTC, and 4 of 4 of them work in other browsers: it is"
            " chromium."
        ),
    ),
    "many partners at once": (
        grid(FIVE, ["chromium"], {(partner, "chromium"): "dns_error" for partner in FIVE[:3]}),
        Culprit.OURS,
        "Fails for 3 of 5 partners since 10:02 UTC: so many at once, so it is likely our side.",
    ),
    "many partners at once, by what the network may cause": (
        [cell(p, "chromium", code) for p, code in zip(FIVE, (DOWN, "tls_error", "browser_crashed"), strict=False)],
        Culprit.OURS,
        "Fails for 3 of 3 partners since 10:02 UTC: so many at once, so it is likely our side.",
    ),
    "many partners at once, each for a reason of its own": (
        [
            cell(p, "chromium", code)
            for p, code in zip(FIVE, (DOWN, "credentials_rejected", "http_5xx", "login_form_not_found"), strict=False)
        ],
        Culprit.PARTNER,
        (
            "Fails in its only browser since 10:02 UTC, and all 3 other partners there too, in other ways or at other"
            " times: it is most likely Acme’s side."
        ),
    ),
    "many partners, each at its own time": (
        [cell(name, "chromium", DOWN, since=TEN - timedelta(hours=n)) for n, name in enumerate(FIVE)],
        Culprit.PARTNER,
        (
            "Fails in its only browser since 10:02 UTC, and all 4 other partners there too, in other ways or at other"
            " times: it is most likely Acme’s side."
        ),
    ),
    "one node": (
        [cell(name, "chromium", "browser_crashed", node="http://n1") for name in FIVE[:3]]
        + [cell(name, "chromium", node="http://n2") for name in ("a", "b", "c", "d", "e", "f", "g")],
        Culprit.NODE,
        "Fails in 3 of 3 checks on the node http://n1 since 10:02 UTC, in 0 of 7 on others: it is that node.",
    ),
    "all nodes alike are no node": (
        [cell(name, "chromium", "browser_crashed", node=f"http://n{n}") for n, name in enumerate(FIVE)],
        Culprit.OURS,
        "Fails for 5 of 5 partners since 10:02 UTC: so many at once, so it is likely our side.",
    ),
    "the control page failed": (
        grid(FIVE, THREE, {("acme", "chromium"): "network_unreachable", ("wonka", "firefox"): "network_unreachable"}),
        Culprit.NETWORK,
        "Our own control page failed as well, in 2 of 15 checks since 10:02 UTC: it is our network.",
    ),
    "the control page failed while the partner was failing already": (
        [
            cell("acme", "chromium", "network_unreachable", state=State.FAILING, trouble_since=HALF_PAST, at=LATER),
            cell("wonka", "chromium"),
        ],
        Culprit.NETWORK,
        "Our own control page failed as well, in 1 of 2 checks since 10:30 UTC: it is our network.",
    ),
    "trouble of ours while the partner was failing already": (
        [cell("acme", "chromium", "browser_crashed", state=State.FAILING, at=LATER), cell("wonka", "chromium")],
        Culprit.OURS,
        "Ended in trouble of ours in 1 of 1 browsers since 10:45 UTC: it is our side, not Acme’s.",
    ),
    "trouble of ours at one pairing": (
        grid(FIVE, THREE, {("acme", "chromium"): "browser_crashed"}),
        Culprit.OURS,
        "Ended in trouble of ours in 1 of 3 browsers since 10:02 UTC: it is our side, not Acme’s.",
    ),
    "trouble of ours in all browsers of one partner": (
        grid(FIVE, THREE, {("acme", browser): "browser_crashed" for browser in THREE}),
        Culprit.OURS,
        (
            "The trouble is ours, but in 3 of 3 browsers and only here since 10:02 UTC: the pages of Acme may be what"
            " our browsers fail at."
        ),
    ),
    "an earlier day is told with its date": (
        grid(["acme"], THREE, {("acme", b): DOWN for b in THREE}, since=TEN - timedelta(days=2)),
        Culprit.PARTNER,
        "Fails in 3 of 3 browsers since 2026-11-19 10:02 UTC: it is Acme’s side.",
    ),
    "what is paused tells nothing of others": (
        [cell("acme", "chromium", DOWN), *(cell(name, "chromium", DOWN, active=False) for name in FIVE[1:])],
        Culprit.PARTNER,
        (
            "Fails in its only browser since 10:02 UTC, and there is no other partner to compare with: it is most"
            " likely Acme’s side."
        ),
    ),
    "other checks of the partner are not its browsers": (
        [cell("acme", "chromium", DOWN), cell("acme", "chromium", check="sso"), cell("acme", "firefox", DOWN)],
        Culprit.PARTNER,
        "Fails in 2 of 2 browsers since 10:02 UTC: it is Acme’s side.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_whose_trouble_it_is(name: str) -> None:
    cells, culprit, sentence = CASES[name]
    found = diagnose(cells, NOW)["acme", "chromium", "login"]
    assert (found.culprit, found.sentence) == (culprit, sentence)


def test_what_works_needs_no_diagnosis() -> None:
    assert diagnose(grid(FIVE, THREE, {}), NOW) == {}


def test_one_failure_that_does_not_count_as_failing_yet_needs_none() -> None:
    assert diagnose([cell("acme", "chromium", DOWN, state=State.WORKING)], NOW) == {}


def test_a_failing_check_without_a_result_of_late_gets_a_sentence_too() -> None:
    lonely = cell("acme", "chromium", state=State.FAILING, outcome_class=None, at=None)
    assert diagnose([lonely], NOW)[lonely.key].culprit is Culprit.PARTNER


def test_every_sentence_is_one_sentence() -> None:
    cells = grid([f"p{n}" for n in range(500)], (*THREE, "mobile"), {(f"p{n}", "webkit"): DOWN for n in range(300)})
    for found in diagnose(cells, NOW).values():
        assert found.sentence.endswith(".")
        assert ". " not in found.sentence
