"""The checks: what each does in the browser, and what one session remembers from check to check."""

from dataclasses import dataclass

from services.runner.browser.attempt import CheckTask
from services.runner.browser.login import log_in
from services.runner.browser.page import Page
from services.runner.browser.shop import reach_checkout, see_product
from services.runner.browser.sso import log_in_by_sso
from shared.domain.evidence import Facts, LoginFinding


@dataclass(slots=True)
class Visit:
    """What became of logging in, once it was tried in this session. A password is sent once."""

    login: Facts | None = None


def perform_check(page: Page, task: CheckTask, visit: Visit) -> Facts:
    """The facts of one check. Raises PageTrouble and what selenium raises."""
    match task.check:
        case "login":
            visit.login = log_in(page, task)
            return visit.login
        case "sso":
            return log_in_by_sso(page, task)
        case "product_page":
            return see_product(page, task)
        case "express_checkout":
            if visit.login is None and task.log_in_first is not None:
                visit.login = log_in(page, task.log_in_first)
            if visit.login is not None and visit.login.login is not LoginFinding.IN:
                return visit.login
            return reach_checkout(page, task)
    raise ValueError(f"there is no check named {task.check!r}")
