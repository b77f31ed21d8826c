"""What the steps of one flow share while it is walked through."""

from collections.abc import Callable
from dataclasses import dataclass, field

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.attempt import CheckTask
from services.runner.browser.page import Page
from shared.domain.evidence import Facts, PageFinding


class StepFailed(Exception):
    """A step found the site not as it must be. `detail` is for the reader, and may still hold secrets."""

    def __init__(self, finding: PageFinding, detail: str) -> None:
        super().__init__(detail)
        self.finding = finding
        self.detail = detail


class LogInFailed(Exception):
    """The automatic log-in, as a step, did not get in; `facts` say why."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts.login)
        self.facts = facts


@dataclass(slots=True)
class Walk:
    """`log_in` does the automatic log-in, once a session. `title`, `verb`, `seconds`: those of the step at hand.

    `frames` were entered one inside the other.
    """

    page: Page
    task: CheckTask
    log_in: Callable[[], Facts]
    first_window: str | None = None
    title: str = ""
    verb: str = ""
    seconds: float = 0.0
    frames: list[WebElement] = field(default_factory=list)

    def back_into_frames(self) -> None:
        """After a look at the page as a whole; what is gone meanwhile is not entered."""
        try:
            for frame in self.frames:
                self.page.driver.switch_to.frame(frame)
        except WebDriverException:
            self.page.driver.switch_to.default_content()
