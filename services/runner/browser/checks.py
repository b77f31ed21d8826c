"""The checks: what each does in the browser, and what one session remembers from check to check."""

from dataclasses import dataclass, replace

from services.runner.browser.attempt import CheckTask
from services.runner.browser.login import log_in
from services.runner.browser.page import Page
from services.runner.browser.shop import reach_checkout, see_product
from services.runner.browser.sso import log_in_by_sso
from services.runner.browser.steps.flow import run_flow
from shared.domain.evidence import Facts, LoginFinding


@dataclass(slots=True)
class Visit:
    """What became of logging in, once it was tried in this session. A password is sent once."""

    login: Facts | None = None


def perform_check(page: Page, task: CheckTask, visit: Visit) -> Facts:
    """The facts of one check, by its flow or the automatic way. Raises PageTrouble and what selenium raises."""
    if task.check == "login":
        return _log_in_once(page, task, visit)
    if task.flow is not None:
        door = task.log_in_first or replace(task, flow=None)
        return run_flow(page, task, task.flow, lambda: _log_in_once(page, door, visit))
    match task.check:
        case "sso":
            return log_in_by_sso(page, task)
        case "product_page":
            return see_product(page, task)
        case "express_checkout":
            if task.log_in_first is not None:
                _log_in_once(page, task.log_in_first, visit)
            if visit.login is not None and visit.login.login is not LoginFinding.IN:
                return visit.login
            return reach_checkout(page, task)
    raise ValueError(f"there is no check named {task.check!r}")


def _log_in_once(page: Page, task: CheckTask, visit: Visit) -> Facts:
    automatic = log_in_by_sso if task.check == "sso" else log_in
    if visit.login is None:
        if task.flow is None:
            visit.login = automatic(page, task)
        else:
            visit.login = run_flow(page, task, task.flow, lambda: automatic(page, task))
    return visit.login
