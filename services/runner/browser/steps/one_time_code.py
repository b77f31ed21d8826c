"""A code for a step of a flow: the same, and as fresh, as the automatic log-in would give."""

from services.runner.browser.log_in.second_factor import fresh_code, key_of
from services.runner.browser.page import Page
from services.runner.browser.steps.walk import LogInFailed
from shared.domain.evidence import Facts


def code_for(page: Page, secret: str) -> str:
    """Waits for one that was never used. Raises LogInFailed when none can be had."""
    key = key_of(page, secret)
    if isinstance(key, Facts):
        raise LogInFailed(key)
    code = fresh_code(page, key)
    if isinstance(code, Facts):
        raise LogInFailed(code)
    return code
