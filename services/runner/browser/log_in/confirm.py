"""The proof that somebody is logged in: the site still knows them when a page of it is opened again."""

from services.runner.browser.log_in.find import find_form
from services.runner.browser.log_in.look import Eyes, Look, to_what_is_left
from services.runner.browser.log_in.verdict import DOUBTFUL, judged
from services.runner.masking import secrets_in_query
from shared.domain.evidence import Facts, LoginFinding
from shared.domain.site_words import Saying

_SURE_AFTER_SECONDS = 1.0
_SECONDS_TO_REACH_THE_FORM = 5.0
_FEW_CHARACTERS = 500
# Asked without our cookies, does the page send strangers away, or ask them for a password as it does not ask us?
# Redirects are not followed, so nothing is revealed.
_STRANGERS_ARE_SENT_AWAY = """
const done = arguments[arguments.length - 1];
const asks = (page) => page.querySelector("input[type=password]") !== null;
fetch(location.href, { credentials: "omit", redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(3000) })
  .then(async (answer) => {
    if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) return true;
    return answer.ok && !asks(document) && asks(new DOMParser().parseFromString(await answer.text(), "text/html"));
  })
  .then(done, () => done(false));
"""


def confirm(eyes: Eyes, before: Look, landed: Look, entry_point: str, *, code_sent: bool = False) -> Facts:
    """`before` is the look at the log-in form, `landed` the one at the page that the log-in led to, where `code_sent`
    says that a one-time code was sent last."""
    page = eyes.page
    to_what_is_left(page)  # a window that was opened for the log-in may have closed itself
    welcomed = bool(landed.marked) or landed.greets_anew(before)
    elsewhere = landed.url != before.url
    # A log-in page may log out whoever opens it, and an address may be good for one use only.
    landing_first = elsewhere and welcomed and not secrets_in_query(landed.url)
    kept = landing_first and _is_known_where_it_led(eyes, before, landed, welcomed)
    if not kept:
        with page.step("open the entry point again") as detail:
            kept = is_known_at(eyes, before, entry_point)
            detail.append(_said(kept))
    if not kept and elsewhere and not landing_first:
        # Some sites show their log-in form to everybody, so the page we landed on decides.
        kept = _is_known_where_it_led(eyes, before, landed, welcomed)
    if kept:
        return page.facts(login=LoginFinding.IN)
    if welcomed:
        return page.facts(login=LoginFinding.SESSION_LOST)
    refused = landed.code_refusal(before) if code_sent else None
    if refused is not None:
        return page.facts(login=LoginFinding.SECOND_FACTOR_REFUSED, said=refused)
    heard = landed.new_saying(before)
    if heard is not None:
        return judged(page.facts, heard, None)
    if landed.asks_new_password and not before.asks_new_password:
        said = next(iter(landed.new_texts(before)), None)
        return page.facts(login=LoginFinding.REFUSED, said=said, saying=Saying.PASSWORD_EXPIRED)
    not_kept = "The form is gone, but the entry point asks to log in again."
    return page.facts(login=LoginFinding.UNCONFIRMED, detail=not_kept, said=next(iter(landed.notices), None))


def _is_known_where_it_led(eyes: Eyes, before: Look, landed: Look, welcomed: bool) -> bool:
    with eyes.page.step("open the landing page again") as detail:
        kept = is_known_at(eyes, before, landed.url) and (welcomed or strangers_are_sent_away(eyes))
        detail.append(_said(kept))
    return kept


def is_known_at(eyes: Eyes, before: Look, url: str, strange_roles: tuple[str, ...] = ()) -> bool:
    """Whether the page greets us as logged in, or shows for a second nothing to log in by (late forms are waited for).

    With a marker, only that counts. `strange_roles`: controls that, like a form, are for those who are not logged in.
    Words of a refusal count, unless strangers don't get to see the page.
    """
    page = eyes.page
    fresh = Eyes(page)
    fresh.marker = eyes.marker
    fresh.form_took = eyes.form_took
    status = page.open(url).status
    if status >= 400 and status != before.status:  # some applications answer as if they were not there, and are
        return False
    sure = _Sure(fresh, before, strange_roles)
    known = bool(page.poll(sure.look, page.patience + eyes.form_may_come_for()))
    if known and not sure.greeted and sure.saying is not None:
        known = sure.saying in DOUBTFUL and strangers_are_sent_away(eyes)
    if not known or sure.greeted or not eyes.tried:
        return known
    # A form that hid behind controls may hide there again: nobody is in who can still reach it.
    reached = find_form(fresh, min(page.patience, _SECONDS_TO_REACH_THE_FORM), stop=sure.greets)
    return reached.form is None or sure.greets(reached)


class _Sure:
    """Waits until a page has looked the same for a second, or for as long as its form may still come."""

    def __init__(self, eyes: Eyes, before: Look, strange_roles: tuple[str, ...]) -> None:
        self.greeted = False
        self.saying: Saying | None = None
        self._eyes = eyes
        self._before = before
        self._roles = strange_roles
        self._strange: bool | None = None
        self._since = 0.0

    def look(self) -> bool | None:
        """True for somebody known, False for a stranger, None while that is not clear."""
        seen, now = self._eyes.look_around(self._roles), self._eyes.page.clock.elapsed()
        self.greeted = self.greets(seen)
        if self.greeted or self._eyes.marker is not None:
            return True if self.greeted else None
        if not seen.complete:
            return None
        strange = _is_for_strangers(seen, self._before, self._roles)
        if strange is not self._strange:
            self._strange, self._since = strange, now
        heard = seen.new_saying(self._before) if seen.text_length < _FEW_CHARACTERS else None
        self.saying = heard[1] if heard is not None else None
        enough = _SURE_AFTER_SECONDS if strange else max(_SURE_AFTER_SECONDS, self._eyes.form_may_come_for())
        return not strange if now - self._since >= enough else None

    def greets(self, seen: Look) -> bool:
        if self._eyes.marker is not None:
            return bool(seen.marked)
        return seen.greets_anew(self._before) and not seen.keeps_out


def _is_for_strangers(seen: Look, before: Look, roles: tuple[str, ...]) -> bool:
    if seen.keeps_out:
        return True
    name_first = before.form is not None and before.form.kind == "user"
    if seen.asks_again(before) or (seen.form is not None and name_first):
        return True
    return any(role in seen.ways for role in roles)


def strangers_are_sent_away(eyes: Eyes) -> bool:
    """From the page that is open: the proof that it knows us, where nothing on it says so."""
    return bool(eyes.page.driver.execute_async_script(_STRANGERS_ARE_SENT_AWAY))


def _said(kept: bool) -> str:
    return "still logged in" if kept else "not known there"
