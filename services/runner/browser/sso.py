"""The `sso` check: from the partner to its identity provider, log in there, and back into the partner's site."""

from selenium.common.exceptions import UnexpectedAlertPresentException, WebDriverException

from services.runner.browser.attempt import CheckTask, Credentials
from services.runner.browser.clicking import accept_consent
from services.runner.browser.failures import PageTrouble, facts_of
from services.runner.browser.log_in.confirm import is_known_at, strangers_are_sent_away
from services.runner.browser.log_in.enter import enter
from services.runner.browser.log_in.fill import fill_form, send
from services.runner.browser.log_in.find import WAYS, find_form
from services.runner.browser.log_in.look import Eyes, Look, to_what_is_left
from services.runner.browser.log_in.round_trip import RoundTrip, WentRound
from services.runner.browser.log_in.take_way import take_way
from services.runner.browser.log_in.verdict import Then
from services.runner.browser.login import nothing_to_log_in_by, refused_by_dialog
from services.runner.browser.page import Page
from shared.domain.evidence import Facts, LoginFinding

_MOST_CLICKS = 4
_BEFORE_OPENING_SECONDS = 2.0


def log_in_by_sso(page: Page, task: CheckTask) -> Facts:
    """The story of the check. What goes wrong away from the partner's site is a failure of SSO, named by host."""
    trip = RoundTrip(page, task.url)
    try:
        return _travel(Eyes(page, task.signed_in_marker), trip, task)
    except WentRound:
        return page.facts(login=LoginFinding.SSO_LOOP, detail=trip.as_text())
    except UnexpectedAlertPresentException as dialog:
        facts = refused_by_dialog(page, dialog)
        if facts is None:
            raise
        return facts
    except (PageTrouble, WebDriverException) as error:
        facts = trip.broken_by(facts_of(error, None))
        if facts is None:
            raise
        return facts
    finally:
        page.redirects = trip.redirects()


def _travel(eyes: Eyes, trip: RoundTrip, task: CheckTask) -> Facts:
    page = eyes.page
    with page.step("open the entry point of the SSO") as detail:
        state = page.open(task.url)
        eyes.page_came()
        detail.append(f"answered {state.status}" if state.status else "")
    first = _first_look(eyes, trip)
    trip.start_at(first)
    if state.status >= 400 and not trip.has_left():
        return page.facts(http_status=state.status)
    with page.step("go to the identity provider") as detail:
        ended = _leave(eyes, trip, task.credentials)
        detail.append(trip.as_text())
    if ended is not None:
        return ended
    with page.step(f"find the log-in form of {trip.provider()}") as detail:
        look = find_form(eyes, page.patience, stop=trip.nothing_to_fill_in, ways=(*WAYS, "provider"))
        detail.append("found" if look.form is not None else "none")
        page.provider = trip.come_to_provider(look)
    if not trip.is_home(look):
        arrived_or_facts = _log_in_there(eyes, trip, look, task.credentials)
        if isinstance(arrived_or_facts, Facts):
            return arrived_or_facts
        look = arrived_or_facts
    return _confirm(eyes, trip, first, look, task.url)


def _first_look(eyes: Eyes, trip: RoundTrip) -> Look:
    """Where the entry point leads to. Beside it, a page of the partner's is told from a provider's only by its way to
    one, which may be drawn late."""
    first = eyes.look_around(("sso",))
    if not trip.is_beside(first):
        return first

    def leads_on() -> Look | None:
        look = eyes.look_around(("sso",))
        return look if "sso" in look.ways else None

    return eyes.page.poll(leads_on, _BEFORE_OPENING_SECONDS) or eyes.look_around(("sso",))


def _leave(eyes: Eyes, trip: RoundTrip, credentials: Credentials | None) -> Facts | None:
    """Off the partner's site, by itself or by a control that says so. Facts when it stays."""
    page, name_given, clicked = eyes.page, False, ""
    for _ in range(_MOST_CLICKS):
        since = page.clock.elapsed()

        def ready(since: float = since) -> Look | None:
            if trip.has_left():
                return eyes.look_here()
            look = eyes.look_around(("sso", "provider", "opener"))
            if "sso" in look.ways or "provider" in look.ways:
                return look
            # What leads on less surely is taken once the page had time to draw the rest.
            waited = page.clock.elapsed() - since > _BEFORE_OPENING_SECONDS
            return look if waited and (look.form is not None or "opener" in look.ways) else None

        look = page.poll(ready, page.patience)
        if trip.has_left():
            return None
        if look is None:
            break
        if "sso" in look.ways and not clicked:
            eyes.form_came()
        accept_consent(page)
        way = look.ways.get("sso") or look.ways.get("provider")
        if way is None and look.form is not None and look.form.kind == "user" and credentials and not name_given:
            # It asks who we are, to know which provider is ours.
            name_given = True
            send(page, fill_form(eyes, look.form, credentials.username, None))
            continue
        way = way or (look.ways.get("opener") if not clicked else None)
        if way is None:
            break
        clicked = take_way(eyes, way) or clicked
    stayed = f"It never left {trip.home}: " + (f"clicked {clicked}." if clicked else "nothing to start SSO with.")
    notice = next(iter(eyes.look_here().notices), None)
    return page.facts(login=LoginFinding.SSO_FAILED, detail=stayed, said=notice)


def _log_in_there(eyes: Eyes, trip: RoundTrip, look: Look, credentials: Credentials | None) -> Facts | Look:
    """At the identity provider: the look at the partner's page that it led back to, or facts."""
    page = eyes.page
    if look.form is None:
        there = nothing_to_log_in_by(eyes, look)
        if there.login is not LoginFinding.FORM_NOT_FOUND:
            return there
        answered = f"{trip.provider()} answered {look.status}" if look.status >= 400 else "shows no log-in form"
        detail = f"{answered}." if look.status >= 400 else f"{trip.provider()} {answered}. {there.detail}"
        return page.facts(login=LoginFinding.SSO_FAILED, detail=detail, said=next(iter(look.notices), None))
    if credentials is None:
        return page.facts(login=LoginFinding.NO_CREDENTIALS)
    seen = enter(eyes, look, credentials, trip.is_home)
    if isinstance(seen, Facts):
        return trip.judge(seen)
    if seen.then is Then.STILL:
        return trip.not_back(seen.look)
    return seen.look


def _confirm(eyes: Eyes, trip: RoundTrip, first: Look, landed: Look, entry_point: str) -> Facts:
    """In, when the partner's site knows us without asking the identity provider again."""
    page = eyes.page
    error = trip.error_brought_back()
    if error is not None:
        return page.facts(login=LoginFinding.SSO_FAILED, detail=error, said=next(iter(landed.notices), None))
    if landed.status >= 400:
        answered = f"{trip.home} answered {landed.status} on the way back."
        return page.facts(login=LoginFinding.SSO_FAILED, detail=answered)
    to_what_is_left(page)  # a window that was opened for the provider may have closed itself
    welcomed = bool(landed.marked) or landed.greets_anew(first)
    with page.step("open the landing page again") as detail:
        known = _is_known(eyes, trip, first, trip.clean(landed.url)) and (welcomed or strangers_are_sent_away(eyes))
        detail.append("still logged in" if known else "not known there")
    if not known:
        with page.step("open the entry point again") as detail:
            known = _is_known(eyes, trip, first, entry_point)
            detail.append("still logged in" if known else "not known there")
    if known:
        return page.facts(login=LoginFinding.IN)
    if welcomed:
        return page.facts(login=LoginFinding.SESSION_LOST)
    came_back = f"{trip.provider()} led back to {trip.home}, which does not know us as logged in."
    return page.facts(login=LoginFinding.SSO_FAILED, detail=came_back, said=next(iter(landed.notices), None))


def _is_known(eyes: Eyes, trip: RoundTrip, first: Look, url: str) -> bool:
    mark = eyes.page.heard()
    return is_known_at(eyes, first, url, ("sso", "opener")) and not trip.left_since(mark)
