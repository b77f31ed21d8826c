"""How log-ins at one account count: those that were refused in a row, and whether the site saw one at all."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.outcome import Outcome

# The checks that log in by themselves; a flow may do so in any. All but `sso` share one session, and log in once in it.
LOGGING_IN = frozenset({"login", "sso", "express_checkout"})
REFUSED = frozenset({"credentials_rejected", "mfa_rejected"})
# Ends at which no user name or password can have been sent.
_SENT_NOTHING = frozenset(
    {
        "login_form_not_found",
        "dns_error",
        "connection_refused",
        "connection_timeout",
        "tls_error",
        "grid_unreachable",
        "session_not_created",
        "session_queue_timeout",
        "no_matching_browser",
        "native_thread_exhausted",
        "missed",
    }
)


@dataclass(frozen=True, slots=True)
class LogIns:
    """What one attempt did at one account: whether anything may have been sent, and what the site said to it.

    `refused` counts the refusals since the last log-in that was accepted; `accepted` is whether one was.
    """

    sent: bool
    accepted: bool
    refused: int


def log_ins(verdicts: Iterable[tuple[str, Outcome]]) -> LogIns:
    """From what an attempt found out about the checks that use one account, in their order."""
    sent, accepted, refused = False, False, 0
    visited = False
    for check, outcome in verdicts:
        sent = sent or outcome.code not in _SENT_NOTHING
        own_session = check == "sso"
        if outcome.success:
            accepted, refused = True, 0
        elif outcome.code in REFUSED and (own_session or not visited):
            refused += 1
        visited = visited or not own_session
    return LogIns(sent, accepted, refused)
