"""What goes into one attempt in a browser, and what comes out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.runner.masking import Mask
from shared.domain.flow import Flow
from shared.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Credentials:
    """The log-in of a partner in the clear; lives in memory only, and never in a repr."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    totp_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Marker:
    """What only somebody who is logged in sees: a text, in any case, or an element that fits a CSS selector."""

    text: str | None = None
    css: str | None = None


@dataclass(frozen=True, slots=True)
class CheckTask:
    """One check of an attempt: where it begins, with which log-in, and what its page must show.

    `signed_in_marker` takes the place of our own judgement whether a log-in succeeded. `log_in_first` is the partner's
    `login` check: for a check that only makes sense for somebody who is logged in, and for the `log_in` step of a flow.
    `flow` takes the place of the automatic way.
    """

    check: str
    url: str
    credentials: Credentials | None
    expect_text: str | None = None
    log_in_first: "CheckTask | None" = None
    flow: Flow | None = None
    signed_in_marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class BrowserTask:
    """One attempt's work: the checks of one job configuration, in one browser. Durations in seconds.

    `patience_seconds` is how long the site's pages are given to show what is waited for. `spend_code(account, step)`
    takes the one-time code of an account (`TotpKey.account`) for a time step: False when it was taken before. It is
    called in the attempt's thread and may block. `step_screenshots`: `always`, `on_failure` or `never`.
    `avoid_nodes` are addresses of Grid nodes that are only taken when there is no other.
    """

    scheduled_job_id: str
    attempt: int
    partner: str
    checks: tuple[CheckTask, ...]
    browser: str
    capabilities: Mapping[str, Any]
    timeout_seconds: float
    slow_after_seconds: float | None
    spend_code: Callable[[bytes, int], bool]
    patience_seconds: float = 10.0
    step_screenshots: str = "on_failure"
    avoid_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Session:
    """A WebDriver session that exists; `node` is the Grid node's address, None with a plain driver.

    Who knows `devtools`, the address of the browser's DevTools socket, can do anything in it.
    """

    id: str
    webdriver_url: str
    browser_name: str
    browser_version: str
    node: str | None
    devtools: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done during a check. `offset_seconds` counts from the start of the check.

    `ok` is False also of the step that a failed check ended with. `evidence` is the name of the picture
    taken at its end.
    """

    name: str
    offset_seconds: float
    duration_seconds: float
    ok: bool
    detail: str = ""
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How one check ended, and in which session; None when there was none for it.

    `warnings`: what did not keep it from passing, each a masked sentence.
    """

    check: str
    outcome: Outcome
    duration_seconds: float
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence, already masked: a small file with a safe name (`screenshot.jpg`, `page.html`, ...)."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LastPage:
    """The last state of the browser; every text is masked. A crashed or hanging tab gives less, or nothing."""

    evidence: tuple[Evidence, ...] = ()
    final_url: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """Everything one attempt found out. `final_url` and `title` are those of the last page, masked.

    `session` is that of the check which decided the outcome, or else the last that there was.
    """

    outcome: Outcome
    checks: tuple[CheckReport, ...]
    evidence: tuple[Evidence, ...]
    session: Session | None
    started_at: datetime
    duration_seconds: float
    final_url: str | None = None
    title: str | None = None
    console_errors: tuple[str, ...] = ()
    traceback: str | None = None

    def masked(self, mask: Mask) -> "AttemptReport":
        """Every text once more, now that all secrets of the attempt are known."""
        return replace(
            self,
            outcome=_masked(self.outcome, mask),
            checks=tuple(
                replace(
                    check,
                    outcome=_masked(check.outcome, mask),
                    steps=tuple(replace(step, detail=mask.text(step.detail)) for step in check.steps),
                    warnings=tuple(mask.text(warning) for warning in check.warnings),
                )
                for check in self.checks
            ),
            final_url=mask.text(self.final_url) if self.final_url is not None else None,
            title=mask.text(self.title) if self.title is not None else None,
            console_errors=tuple(mask.text(error) for error in self.console_errors),
            traceback=mask.text(self.traceback) if self.traceback is not None else None,
        )


def _masked(outcome: Outcome, mask: Mask) -> Outcome:
    return replace(outcome, message=mask.text(outcome.message))
