"""The closed catalogue of outcomes, and what belongs to whom.

The class is what people and alerts act on; the code says why. Infrastructure failures never count against a partner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class OutcomeClass(StrEnum):
    PASSED = "passed"
    DEGRADED = "degraded"
    PARTNER_FAILURE = "partner_failure"
    INFRASTRUCTURE_FAILURE = "infrastructure_failure"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class OutcomeType:
    """One entry of the catalogue."""

    code: str
    outcome_class: OutcomeClass
    description: str

    @property
    def success(self) -> bool:
        return self.outcome_class in (OutcomeClass.PASSED, OutcomeClass.DEGRADED)


_PARTNER = OutcomeClass.PARTNER_FAILURE
_OURS = OutcomeClass.INFRASTRUCTURE_FAILURE
_NOT_RUN = OutcomeClass.NOT_RUN

CATALOGUE: dict[str, OutcomeType] = {
    entry.code: entry
    for entry in (
        OutcomeType("success", OutcomeClass.PASSED, "Everything that was checked works."),
        OutcomeType("slow", OutcomeClass.DEGRADED, "It works, but took longer than the warning limit."),
        OutcomeType("credentials_rejected", _PARTNER, "The site refused the user name or password."),
        OutcomeType("mfa_rejected", _PARTNER, "The site refused the second factor."),
        OutcomeType("captcha_or_bot_wall", _PARTNER, "The site asked for proof of being human."),
        OutcomeType("login_form_not_found", _PARTNER, "No log-in form appeared at the entry point."),
        OutcomeType("login_not_confirmed", _PARTNER, "The form was submitted, but we are neither in nor told why."),
        OutcomeType("session_not_kept", _PARTNER, "The log-in succeeded, but the session was lost right after."),
        OutcomeType("sso_loop", _PARTNER, "The log-in went round between the site and its identity provider."),
        OutcomeType("sso_failed", _PARTNER, "The identity provider did not let us through to the site."),
        OutcomeType("element_missing", _PARTNER, "An element that must be there is not."),
        OutcomeType("assertion_failed", _PARTNER, "The page does not show what is expected of it."),
        OutcomeType("http_4xx", _PARTNER, "The site answered with a client error (400 to 499)."),
        OutcomeType("http_5xx", _PARTNER, "The site answered with a server error (500 to 599)."),
        OutcomeType("dns_error", _PARTNER, "The site's host name could not be resolved."),
        OutcomeType("connection_refused", _PARTNER, "The site's host refused or broke the connection."),
        OutcomeType("connection_timeout", _PARTNER, "The site's host did not accept a connection in time."),
        OutcomeType("tls_error", _PARTNER, "The site's certificate or encryption is not acceptable."),
        OutcomeType("page_timeout", _PARTNER, "A page of the site did not finish loading in time."),
        OutcomeType("check_timeout", _PARTNER, "The check as a whole did not finish in time."),
        OutcomeType("unexpected_dialog", _PARTNER, "A dialog of the site got in the way."),
        OutcomeType("callback_rejected", _PARTNER, "The callback's target answered, but not with success."),
        OutcomeType("grid_unreachable", _OURS, "Selenium Grid (or the browser driver) does not answer."),
        OutcomeType("session_not_created", _OURS, "The browser could not be started."),
        OutcomeType("session_queue_timeout", _OURS, "No browser slot became free in time."),
        OutcomeType("no_matching_browser", _OURS, "No node offers the browser that was asked for."),
        OutcomeType("native_thread_exhausted", _OURS, "The Grid can start no more threads; restart it."),
        OutcomeType("browser_crashed", _OURS, "The browser or its tab died during the check."),
        OutcomeType("node_lost", _OURS, "The node that ran the browser went away during the check."),
        OutcomeType("session_expired", _OURS, "The Grid ended the browser session during the check."),
        OutcomeType("network_unreachable", _OURS, "Our own control page cannot be reached from the browser either."),
        OutcomeType("runner_lost", _OURS, "The runner that ran the check went away."),
        OutcomeType("out_of_resources", _OURS, "Memory, disk or processes ran out on our side."),
        OutcomeType("internal_error", _OURS, "An error of Parakeet's own; the attempt holds the traceback."),
        OutcomeType("missed", _NOT_RUN, "It was not run in time, and the catch-up policy does not run it later."),
        OutcomeType("skipped_overlap", _NOT_RUN, "The previous run of the same schedule had not ended."),
        OutcomeType("cancelled", _NOT_RUN, "It was cancelled before it ran."),
        OutcomeType("maintenance", _NOT_RUN, "A maintenance window was open."),
    )
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A judgement: a code of the catalogue and one sentence for the reader. The message never holds a secret."""

    code: str
    message: str = ""

    def __post_init__(self) -> None:
        if self.code not in CATALOGUE:
            raise ValueError(f"unknown outcome code {self.code!r}")

    @property
    def outcome_class(self) -> OutcomeClass:
        return CATALOGUE[self.code].outcome_class

    @property
    def success(self) -> bool:
        return CATALOGUE[self.code].success


_WORST_LAST = (OutcomeClass.PASSED, OutcomeClass.DEGRADED, OutcomeClass.NOT_RUN, _PARTNER, _OURS)


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of an attempt that ran several checks: the worst of them, the first among equals.

    An infrastructure failure is worst, since then nothing is known for sure and the attempt is repeated.
    """
    ranked = sorted(outcomes, key=lambda outcome: _WORST_LAST.index(outcome.outcome_class), reverse=True)
    if not ranked:
        return Outcome("internal_error", "No check ran.")
    return ranked[0]
