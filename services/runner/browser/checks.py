"""The checks: what each does in the browser, and what one session remembers from check to check."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from services.runner.browser.attempt import CheckTask
from services.runner.browser.login import log_in
from services.runner.browser.page import Page
from services.runner.browser.shop import reach_checkout, see_product
from services.runner.browser.sso import log_in_by_sso
from services.runner.browser.steps.flow import run_flow
from shared.domain.evidence import Facts, LoginFinding


@dataclass(slots=True)
class Visit:
    """What became of logging in, by each way that was tried in this session: its facts, or what it raised.

    A password is sent once, also when what came after it is not known.
    """

    tried: dict[str, Facts | Exception] = field(default_factory=dict)

    def once(self, way: str, log_in: Callable[[], Facts]) -> Facts:
        """Raises what `log_in` raises, or raised the first time."""
        if way not in self.tried:
            try:
                self.tried[way] = log_in()
            except Exception as error:
                self.tried[way] = error
        found = self.tried[way]
        if isinstance(found, Exception):
            raise found
        return found


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
                logged_in = _log_in_once(page, task.log_in_first, visit)
                if logged_in.login is not LoginFinding.IN:
                    return logged_in
            return reach_checkout(page, task)
    raise ValueError(f"there is no check named {task.check!r}")


def _log_in_once(page: Page, task: CheckTask, visit: Visit) -> Facts:
    """By its flow or the automatic way; a flow may have the automatic way as a step, which is done once as well."""
    automatic = log_in_by_sso if task.check == "sso" else log_in

    def by_itself() -> Facts:
        return visit.once("automatic", lambda: automatic(page, task))

    flow = task.flow
    return by_itself() if flow is None else visit.once("flow", lambda: run_flow(page, task, flow, by_itself))
