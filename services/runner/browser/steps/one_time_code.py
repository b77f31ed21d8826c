"""A code of the stored second factor, never the same one twice."""

import time

from services.runner.browser.failures import PageTrouble
from services.runner.browser.page import Page
from services.runner.browser.steps.walk import LogInFailed
from shared.domain.evidence import LoginFinding, TimedOut
from shared.domain.totp import TotpSecretInvalid, read_totp_secret

_spent: dict[bytes, int] = {}


def fresh_code(page: Page, secret: str) -> str:
    """Waits for a window that is new and long enough. Raises LogInFailed for a bad secret, PageTrouble in the end."""
    try:
        key = read_totp_secret(secret)
    except TotpSecretInvalid as error:
        facts = page.facts(login=LoginFinding.UNCONFIRMED, detail=f"The stored TOTP secret {error}.")
        raise LogInFailed(facts) from None
    while True:
        now = time.time()
        step = key.fresh_step(now)
        wait = key.seconds_until(step, now)
        if not wait and _spent.get(key.account) != step:
            _spent[key.account] = step
            return key.code(step)
        wait = wait or key.seconds_until(step + 1, now)
        if wait > page.clock.left():
            raise PageTrouble(timed_out=TimedOut.CHECK)
        page.clock.over.wait(wait)
        page.check_time()
