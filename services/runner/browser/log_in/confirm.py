"""The proof that somebody is logged in: the site still knows them when a page of it is opened again."""

from services.runner.browser.log_in.look import Eyes, Look
from shared.domain.evidence import Facts, LoginFinding

_SURE_AFTER_SECONDS = 1.0
_FEW_CHARACTERS = 500
# Asked without our cookies, does the page send strangers away? Redirects are not followed, so nothing is revealed.
_STRANGERS_ARE_SENT_AWAY = """
const done = arguments[arguments.length - 1];
fetch(location.href, { credentials: "omit", redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(3000) })
  .then((answer) => done(answer.type === "opaqueredirect" || [401, 403].includes(answer.status)), () => done(false));
"""


def confirm(eyes: Eyes, before: Look, landed: Look, entry_point: str) -> Facts:
    """`before` is the look at the log-in form, `landed` the one at the page that the log-in led to."""
    page = eyes.page
    page.driver.switch_to.default_content()
    welcomed = bool(landed.marked) or (landed.welcomes and not before.welcomes)
    with page.step("open the entry point again") as detail:
        kept = is_known_at(eyes, before, entry_point)
        detail.append(_said(kept))
    if not kept and landed.url != before.url:
        # Some sites show their log-in form to everybody, so the page we landed on decides.
        with page.step("open the landing page again") as detail:
            kept = is_known_at(eyes, before, landed.url) and (welcomed or _strangers_are_sent_away(eyes))
            detail.append(_said(kept))
    if kept:
        return page.facts(login=LoginFinding.IN)
    if welcomed:
        return page.facts(login=LoginFinding.SESSION_LOST)
    not_kept = "The form is gone, but the entry point asks to log in again."
    return page.facts(login=LoginFinding.UNCONFIRMED, detail=not_kept, said=next(iter(landed.notices), None))


def is_known_at(eyes: Eyes, before: Look, url: str, strange_roles: tuple[str, ...] = ("opener",)) -> bool:
    """Whether the page greets us as logged in, or shows for a second nothing to log in by (late forms are waited for).

    With a marker, only that counts. `strange_roles`: controls that, like a form, are for those who are not logged in.
    """
    page = eyes.page
    fresh = Eyes(page)
    fresh.marker = eyes.marker
    state = page.open(url)
    if state.status >= 400:
        return False
    # An entry point that hid its form behind a control shows that control to strangers.
    roles = strange_roles if eyes.tried or "sso" in strange_roles else ()
    strange_since: float | None = None
    known_since: float | None = None

    def look() -> bool | None:
        nonlocal strange_since, known_since
        seen, now = fresh.look_around(roles), page.clock.elapsed()
        if fresh.marker is not None:
            return True if seen.marked else None
        if seen.welcomes and not before.welcomes:
            return True
        if not seen.complete:
            return None
        if _is_for_strangers(seen, before, roles):
            known_since, strange_since = None, strange_since or now
            return False if now - strange_since >= _SURE_AFTER_SECONDS else None
        known_since, strange_since = known_since or now, None
        return True if now - known_since >= _SURE_AFTER_SECONDS else None

    return bool(page.poll(look, page.patience))


def _is_for_strangers(seen: Look, before: Look, roles: tuple[str, ...]) -> bool:
    name_first = before.form is not None and before.form.kind == "user"
    if seen.form is not None and (seen.form.password is not None or name_first):
        return True
    if any(role in seen.ways for role in roles):
        return True
    return seen.text_length < _FEW_CHARACTERS and seen.new_saying(before) is not None


def _strangers_are_sent_away(eyes: Eyes) -> bool:
    return bool(eyes.page.driver.execute_async_script(_STRANGERS_ARE_SENT_AWAY))


def _said(kept: bool) -> str:
    return "still logged in" if kept else "not known there"
