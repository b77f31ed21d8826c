"""How people say it: outcomes, moments and durations in words. Pure."""

from datetime import datetime

from services.api.fields import OutcomeView
from shared.domain.outcome import CATALOGUE, OutcomeClass

MINUTE, HOUR, DAY = 60, 3600, 86400
CHECKS = {
    "login": "Log-in",
    "sso": "Single sign-on",
    "product_page": "Product page",
    "express_checkout": "Express checkout",
}
CODES = {
    "success": "Works",
    "slow": "Works, but slowly",
    "captcha_or_bot_wall": "CAPTCHA or bot wall",
    "login_form_not_found": "No log-in form",
    "login_not_confirmed": "Log-in not confirmed",
    "mfa_rejected": "Second factor rejected",
    "sso_loop": "SSO goes round in circles",
    "sso_failed": "SSO failed",
    "http_4xx": "Client error (HTTP 4xx)",
    "http_5xx": "Server error (HTTP 5xx)",
    "dns_error": "Host name not found",
    "tls_error": "Certificate or TLS error",
    "grid_unreachable": "Selenium Grid unreachable",
    "native_thread_exhausted": "Grid out of threads",
    "skipped_overlap": "Skipped: previous run not ended",
}
FILES = {"page.html": "Page source", "network.json": "Network", "console.json": "Console"}
PROPER_NAMES = ("Selenium",)
# The look of an outcome's class: style class, icon, the words for whom it concerns.
CLASSES = {
    OutcomeClass.PASSED: ("passed", "working", "Passed"),
    OutcomeClass.DEGRADED: ("degraded", "degraded", "Passed, but slow"),
    OutcomeClass.PARTNER_FAILURE: ("failed", "failing", "The partner’s side"),
    OutcomeClass.INFRASTRUCTURE_FAILURE: ("ours", "ours", "Ours"),
    OutcomeClass.NOT_RUN: ("not-run", "not-run", "Not run"),
}
TARGETS_SIDE = "The target’s side"
"""Of a callback: whoever was called is no partner."""


def code_words(code: str) -> str:
    return CODES.get(code) or code.replace("_", " ").capitalize()


def check_words(check: str) -> str:
    return CHECKS.get(check) or check.replace("_", " ").capitalize()


def file_words(name: str) -> str:
    """Of a file of evidence; of several checks, each has its own."""
    check, _, rest = name.rpartition("-")
    said = FILES.get(rest)
    return name if said is None else f"{said} ({check_words(check)})" if check else said


def relative(moment: datetime, now: datetime) -> str:
    """Such as `3 min ago` or `in 2 h`. The script in the page has the same rule, to keep the words true."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    if size < 5:
        return "now"
    if size < MINUTE:
        words = f"{int(size)} s"
    elif size < HOUR:
        words = f"{int(size // MINUTE)} min"
    elif size < DAY:
        words = f"{int(size // HOUR)} h"
    else:
        words = f"{int(size // DAY)} d"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def exact(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    return f"{int(seconds // MINUTE)} min {int(seconds % MINUTE)} s"


def schedule_words(cron: str | None, timezone: str, interval_seconds: int | None, fixed_delay: bool) -> str:
    """Such as `every 15 min` or `30 2 * * *, Europe/Berlin`."""
    if cron is not None:
        said = "every minute" if cron == "* * * * *" else cron
        return said if timezone == "UTC" or cron == "* * * * *" else f"{said}, {timezone}"
    assert interval_seconds is not None
    unit, word = next(
        (unit, word)
        for unit, word in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
        if not interval_seconds % unit
    )
    return (
        f"{interval_seconds // unit} {word} after each run"
        if fixed_delay
        else f"every {interval_seconds // unit} {word}"
    )


def job_headline(outcome: OutcomeView, job: str) -> str:
    """What happened to a callback, and whose fault it is, in one sentence."""
    return _headline(outcome, f"The job {job}", "target", "run")


def headline(outcome: OutcomeView, check: str, partner: str, browser: str) -> str:
    """What broke, where, and whose fault, in one sentence."""
    return _headline(outcome, f"{check} at {partner} in {browser}", "partner", "checked")


def _headline(outcome: OutcomeView, subject: str, they: str, done: str) -> str:
    what = _as_reason(outcome.code)
    within = subject if subject[:2].isupper() else subject[0].lower() + subject[1:]
    match outcome.outcome_class:
        case OutcomeClass.PASSED:
            return f"{subject} works."
        case OutcomeClass.DEGRADED:
            return f"{subject} works, but slowly."
        case OutcomeClass.PARTNER_FAILURE:
            return f"The {they}’s side: {within} failed, because {what}."
        case OutcomeClass.INFRASTRUCTURE_FAILURE:
            return f"Our infrastructure: {within} could not be {done}, because {what}."
        case OutcomeClass.NOT_RUN:
            return f"{subject} was not run: {what}."


def _as_reason(code: str) -> str:
    """The catalogue's description within a sentence."""
    what = CATALOGUE[code].description.rstrip(".")
    return what if what.startswith(PROPER_NAMES) else what[0].lower() + what[1:]
