"""Waits for a log-in form, opening on the way what hides it."""

from collections.abc import Callable, Sequence
from functools import partial

from services.runner.browser.clicking import DRAWN_ANEW, accept_consent_anywhere
from services.runner.browser.log_in.look import Eyes, Look
from services.runner.browser.log_in.take_way import hover, take_way

# In the order in which they are tried: the page's own log-in, a choice that leads to the password, a menu, and what
# shows one when the mouse is over it.
WAYS = ("opener", "password_way", "menu", "hover")
_MOST_CLICKS = 4
_BEFORE_OPENING_SECONDS = 1.0


def find_form(
    eyes: Eyes, seconds: float, stop: Callable[[Look], bool] = lambda look: False, ways: Sequence[str] = WAYS
) -> Look:
    """The look that shows a form, the driver left in its frame; or the last look, when the seconds are over, or when
    `stop` says that no form is to be waited for.

    Controls that lead to a form are clicked once each, when the page had none for a while: a dialog's opener, a menu,
    "use a password instead". A consent dialog is answered meanwhile.
    """
    page = eyes.page
    until = page.clock.elapsed() + seconds
    quiet_since, clicks, consent_answered = page.clock.elapsed(), 0, False
    eyes.page_came()
    while True:
        ready = page.poll(partial(_ready, eyes, quiet_since, stop, ways), until - page.clock.elapsed())
        if ready is not None and ready.form is not None:
            eyes.form_came()
        if ready is None or ready.form is not None or stop(ready) or page.clock.elapsed() >= until:
            return ready or eyes.look_around()
        quiet_since = page.clock.elapsed()
        role = next((role for role in ways if role in ready.ways), None)
        if not consent_answered:
            consent_answered = True
            if accept_consent_anywhere(page):
                continue
        if role is None or clicks == _MOST_CLICKS:
            continue
        clicks += 1
        with page.step("open the log-in") as detail:
            take = hover if role == "hover" else take_way
            detail.append(take(eyes, ready.ways[role]) or DRAWN_ANEW)
            eyes.page_came()


def _ready(eyes: Eyes, quiet_since: float, stop: Callable[[Look], bool], ways: Sequence[str]) -> Look | None:
    """A look with a form; or, once the page had none for a while, whatever it shows."""
    look = eyes.look_around(ways)
    if look.form is not None or stop(look):
        return look
    quiet = eyes.page.clock.elapsed() - quiet_since > _BEFORE_OPENING_SECONDS
    return look if quiet and look.complete else None
