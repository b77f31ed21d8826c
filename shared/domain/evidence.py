"""The facts that one check in a browser leaves behind: what happened, not yet whose fault it was.

The runner fills these in; `shared.domain.outcome.classify` judges them.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.site_words import Saying


class Fault(StrEnum):
    """Something happened to our own machinery: the Grid, the driver, the browser, this process."""

    WEBDRIVER_SILENT = "webdriver_silent"
    SESSION_REFUSED = "session_refused"
    QUEUE_TIMED_OUT = "queue_timed_out"
    BROWSER_NOT_OFFERED = "browser_not_offered"
    THREADS_EXHAUSTED = "threads_exhausted"
    RESOURCES_EXHAUSTED = "resources_exhausted"
    BROWSER_GONE = "browser_gone"
    NODE_GONE = "node_gone"
    SESSION_UNKNOWN = "session_unknown"
    CODES_SPENT = "codes_spent"
    MISCONFIGURED = "misconfigured"
    UNEXPECTED_ERROR = "unexpected_error"


class TimedOut(StrEnum):
    """What was under way when the time was over: opening a connection, loading a page, or the check between pages."""

    CONNECTION = "connection"
    PAGE = "page"
    CHECK = "check"


class LoginFinding(StrEnum):
    """How far the log-in came."""

    IN = "in"
    REFUSED = "refused"
    SECOND_FACTOR_REFUSED = "second_factor_refused"
    CAPTCHA = "captcha"
    FORM_NOT_FOUND = "form_not_found"
    UNCONFIRMED = "unconfirmed"
    SESSION_LOST = "session_lost"
    NO_CREDENTIALS = "no_credentials"
    SSO_FAILED = "sso_failed"
    SSO_LOOP = "sso_loop"
    MAINTENANCE = "maintenance"


class PageFinding(StrEnum):
    """Whether a page showed what it must show, when the check is not about logging in."""

    AS_EXPECTED = "as_expected"
    ELEMENT_MISSING = "element_missing"
    NOT_AS_EXPECTED = "not_as_expected"


@dataclass(frozen=True, slots=True)
class Facts:
    """What one check found out. Durations in seconds; every text is already free of secrets.

    `site` is the host (with its port, if unusual) that the facts below speak of; `provider` is the identity provider's,
    when the check had come to one. `net_error` is Chromium's name for it (`ERR_CONNECTION_REFUSED`). `http_status` is
    that of the last page. `said` quotes the site's own words, and `saying` is what they mean. `detail` is the driver's,
    Grid's or our own wording of a fault, what kept a log-in from being confirmed, or what a page lacks.
    `control_page_failed` is None when the control page was not asked.
    """

    site: str
    duration_seconds: float
    timeout_seconds: float
    slow_after_seconds: float | None = None
    fault: Fault | None = None
    detail: str = ""
    timed_out: TimedOut | None = None
    net_error: str | None = None
    http_status: int | None = None
    dialog: str | None = None
    login: LoginFinding | None = None
    page: PageFinding | None = None
    said: str | None = None
    saying: Saying | None = None
    provider: str | None = None
    control_page_failed: bool | None = None
