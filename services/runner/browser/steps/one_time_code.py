"""A code of the stored second factor, never the same one twice."""

import time

import pyotp

from services.runner.browser.failures import PageTrouble
from services.runner.browser.page import Page

# A code that is about to end may be refused by the time it arrives.
_LEAST_SECONDS_LEFT = 5.0
_last_step: dict[str, int] = {}


def fresh_code(page: Page, secret: str) -> str:
    """Waits for the next window when this one was used or is nearly over. Raises PageTrouble at the end of the time."""
    totp = pyotp.parse_uri(secret) if secret.startswith("otpauth://") else pyotp.TOTP(secret.replace(" ", ""))
    assert isinstance(totp, pyotp.TOTP)
    while True:
        now = time.time()
        step, into = int(now // totp.interval), now % totp.interval
        if totp.interval - into >= _LEAST_SECONDS_LEFT and _last_step.get(secret) != step:
            _last_step[secret] = step
            return totp.at(step * totp.interval)
        page.check_time()
        if page.clock.over.wait(min(totp.interval - into, 1.0)):
            raise PageTrouble(timed_out=page.waits_for())
