"""The closed catalogue of outcomes, and what belongs to whom.

The class is what people and alerts act on; the code says why. Infrastructure failures never count against a partner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.evidence import Facts, Fault, LoginFinding, PageFinding, TimedOut
from shared.domain.login_verdict import login_verdict, unconfirmed_verdict


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
        OutcomeType("callback_rejected", _PARTNER, "The callback was not accepted, or not sent there."),
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


_FAULTS: dict[Fault, tuple[str, str]] = {
    Fault.WEBDRIVER_SILENT: ("grid_unreachable", "Selenium Grid (or the browser driver) does not answer"),
    Fault.SESSION_REFUSED: ("session_not_created", "The browser could not be started"),
    Fault.QUEUE_TIMED_OUT: ("session_queue_timeout", "No browser slot became free in time"),
    Fault.BROWSER_NOT_OFFERED: ("no_matching_browser", "No node offers this browser"),
    Fault.THREADS_EXHAUSTED: ("native_thread_exhausted", "The Grid can start no more threads and must be restarted"),
    Fault.RESOURCES_EXHAUSTED: ("out_of_resources", "Memory, disk or processes ran out on our side"),
    Fault.BROWSER_GONE: ("browser_crashed", "The browser died during the check"),
    Fault.NODE_GONE: ("node_lost", "The node that ran the browser went away during the check"),
    Fault.SESSION_UNKNOWN: ("session_expired", "The Grid ended the browser session during the check"),
    Fault.CODES_SPENT: ("internal_error", "No unused one-time code was left"),
    Fault.MISCONFIGURED: ("internal_error", "The configuration can't be used"),
    Fault.UNEXPECTED_ERROR: ("internal_error", "An error of Parakeet's own"),
}

_NET_ERRORS: tuple[tuple[str, str, str], ...] = (
    # code prefix, outcome, what the site did
    ("ERR_NAME_", "dns_error", "{site} could not be resolved"),
    ("ERR_DNS_", "dns_error", "{site} could not be resolved"),
    ("ERR_CONNECTION_REFUSED", "connection_refused", "{site} refused the connection"),
    ("ERR_CONNECTION_TIMED_OUT", "connection_timeout", "{site} did not accept a connection in time"),
    ("ERR_TIMED_OUT", "connection_timeout", "{site} did not accept a connection in time"),
    ("ERR_ADDRESS_UNREACHABLE", "connection_timeout", "{site} cannot be reached"),
    ("ERR_CERT_", "tls_error", "The certificate of {site} is not acceptable"),
    ("ERR_SSL_", "tls_error", "The encryption of {site} is not acceptable"),
    ("ERR_BAD_SSL_", "tls_error", "The encryption of {site} is not acceptable"),
    ("ERR_TOO_MANY_REDIRECTS", "sso_loop", "{site} redirects in a circle"),
    ("ERR_INTERNET_DISCONNECTED", "network_unreachable", "The browser has no network"),
    ("ERR_NETWORK_", "network_unreachable", "The network of the browser failed"),
    ("ERR_PROXY_", "network_unreachable", "The proxy of the browser failed"),
    ("ERR_TUNNEL_", "network_unreachable", "The proxy of the browser failed"),
    ("ERR_INSUFFICIENT_RESOURCES", "out_of_resources", "The browser ran out of resources"),
    ("ERR_OUT_OF_MEMORY", "out_of_resources", "The browser ran out of memory"),
    ("ERR_UNSAFE_PORT", "internal_error", "Nobody was asked: browsers refuse the port of {site}, choose another"),
    ("ERR_NOT_TOLD", "connection_refused", "{site} could not be loaded, and this browser tells no reason"),
    ("", "connection_refused", "{site} broke the connection"),
)

_TIMED_OUT: dict[TimedOut, tuple[str, str]] = {
    TimedOut.CONNECTION: ("connection_timeout", "{site} did not accept a connection within {seconds:.0f} s."),
    TimedOut.PAGE: ("page_timeout", "A page of {site} did not finish loading within {seconds:.0f} s."),
    TimedOut.CHECK: ("check_timeout", "The check did not finish within its {limit:g} s."),
}

CODES_THE_NETWORK_MAY_CAUSE = frozenset(
    {"dns_error", "connection_refused", "connection_timeout", "tls_error", "page_timeout", "check_timeout"}
)


def classify(facts: Facts) -> Outcome:
    """The judgement on one check. Pure.

    The order is the rule: a fault of ours outweighs everything, also a nominal success; then comes what the site said
    to the log-in, then why there was nothing to log in to. What the network may have caused is not the partner's fault
    when our own control page fails as well.
    """
    if facts.fault is not None:
        code, words = _FAULTS[facts.fault]
        return Outcome(code, f"{words}: {facts.detail}" if facts.detail else f"{words}.")
    judges = (_judge_dialog, _judge_network, _judge_login, _judge_page, _judge_status)
    outcome = next((outcome for judge in judges if (outcome := judge(facts)) is not None), None)
    if outcome is None:
        return _judge_unconfirmed(facts)
    if facts.control_page_failed and may_be_the_network(facts, outcome):
        return Outcome("network_unreachable", f"Our own control page fails as well. First seen: {outcome.message}")
    return outcome


def may_be_the_network(facts: Facts, outcome: Outcome) -> bool:
    """Whether a network of ours that does not work would end like this. Then the control page must be asked."""
    if outcome.code == "sso_failed":
        return facts.net_error is not None or facts.timed_out is not None
    return outcome.code in CODES_THE_NETWORK_MAY_CAUSE


def _judge_dialog(facts: Facts) -> Outcome | None:
    if facts.dialog is None or facts.login in (LoginFinding.IN, LoginFinding.REFUSED):
        return None
    said = f": “{facts.dialog}”." if facts.dialog else "; the browser does not tell what it said."
    return Outcome("unexpected_dialog", f"A dialog of {facts.site} got in the way{said}")


def _judge_network(facts: Facts) -> Outcome | None:
    if facts.login in (LoginFinding.REFUSED, LoginFinding.SSO_FAILED, LoginFinding.SSO_LOOP):
        return None
    if facts.net_error is not None:
        code, words = next((code, words) for prefix, code, words in _NET_ERRORS if facts.net_error.startswith(prefix))
        return Outcome(code, f"{words.format(site=facts.site)} ({facts.net_error}).")
    if facts.timed_out is not None:
        code, words = _TIMED_OUT[facts.timed_out]
        message = words.format(site=facts.site, seconds=facts.duration_seconds, limit=facts.timeout_seconds)
        return Outcome(code, f"{message} {facts.detail}".rstrip())
    return None


def _judge_login(facts: Facts) -> Outcome | None:
    verdict = login_verdict(facts)
    if verdict is None:
        return None
    return _passed(facts, verdict[1]) if facts.login is LoginFinding.IN else Outcome(*verdict)


def _judge_page(facts: Facts) -> Outcome | None:
    match facts.page:
        case PageFinding.AS_EXPECTED:
            return _passed(facts, f"{facts.site} shows what is expected, after {facts.duration_seconds:.1f} s.")
        case PageFinding.ELEMENT_MISSING:
            return Outcome("element_missing", facts.detail or f"Something that {facts.site} must have is not there.")
        case PageFinding.NOT_AS_EXPECTED:
            return Outcome("assertion_failed", facts.detail or f"{facts.site} does not show what is expected.")
    return None


def _passed(facts: Facts, words: str) -> Outcome:
    if facts.slow_after_seconds and facts.duration_seconds > facts.slow_after_seconds:
        took = f"It works, but took {facts.duration_seconds:.1f} s"
        return Outcome("slow", f"{took} (warning limit {facts.slow_after_seconds:g} s).")
    return Outcome("success", words)


def _judge_status(facts: Facts) -> Outcome | None:
    if facts.http_status is None or facts.http_status < 400:
        return None
    code = "http_5xx" if facts.http_status >= 500 else "http_4xx"
    return Outcome(code, f"{facts.site} answered {facts.http_status}.")


def _judge_unconfirmed(facts: Facts) -> Outcome:
    return Outcome(*(unconfirmed_verdict(facts) or ("internal_error", "The check ended without a finding.")))
