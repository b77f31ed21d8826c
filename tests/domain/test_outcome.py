"""Facts in, judgement out: `classify` by tables."""

from typing import Any

import pytest

from shared.domain.evidence import Facts, Fault, LoginFinding, TimedOut
from shared.domain.outcome import CATALOGUE, Outcome, OutcomeClass, classify, overall

SITE = "shop.acme.example"


def judge(**found: Any) -> Outcome:
    given: dict[str, Any] = {"site": SITE, "duration_seconds": 3.0, "timeout_seconds": 60.0}
    return classify(Facts(**(given | found)))


IN, REFUSED = LoginFinding.IN, LoginFinding.REFUSED


@pytest.mark.parametrize(
    ("found", "code", "message"),
    [
        ({"login": IN}, "success", "Logged in at shop.acme.example in 3.0 s."),
        ({"login": IN, "slow_after_seconds": 3.0}, "success", "Logged in at shop.acme.example in 3.0 s."),
        ({"login": IN, "slow_after_seconds": 2.5}, "slow", "It works, but took 3.0 s (warning limit 2.5 s)."),
        ({"login": REFUSED, "said": "No."}, "credentials_rejected", "The site says: “No.”"),
        (
            {"login": REFUSED, "http_status": 401},
            "credentials_rejected",
            "shop.acme.example answered 401 to the log-in.",
        ),
        (
            {"login": LoginFinding.FORM_NOT_FOUND, "http_status": 200, "detail": "Waited 10 s."},
            "login_form_not_found",
            "No log-in form appeared at shop.acme.example. Waited 10 s.",
        ),
        (
            {"login": LoginFinding.UNCONFIRMED, "said": "Hm"},
            "login_not_confirmed",
            "Submitted, but neither in nor told why. The site says: “Hm”",
        ),
        ({"login": LoginFinding.FORM_NOT_FOUND, "http_status": 503}, "http_5xx", "shop.acme.example answered 503."),
        ({"login": LoginFinding.FORM_NOT_FOUND, "http_status": 404}, "http_4xx", "shop.acme.example answered 404."),
        (
            {"login": LoginFinding.NO_CREDENTIALS},
            "login_not_confirmed",
            "No credentials are stored for this partner, so nothing was submitted.",
        ),
        (
            {"net_error": "ERR_CONNECTION_REFUSED"},
            "connection_refused",
            "shop.acme.example refused the connection (ERR_CONNECTION_REFUSED).",
        ),
        (
            {"net_error": "ERR_NAME_NOT_RESOLVED"},
            "dns_error",
            "shop.acme.example could not be resolved (ERR_NAME_NOT_RESOLVED).",
        ),
        (
            {"net_error": "ERR_CERT_DATE_INVALID"},
            "tls_error",
            "The certificate of shop.acme.example is not acceptable (ERR_CERT_DATE_INVALID).",
        ),
        (
            {"timed_out": TimedOut.PAGE},
            "page_timeout",
            "A page of shop.acme.example did not finish loading within 3 s.",
        ),
        ({"timed_out": TimedOut.CHECK}, "check_timeout", "The check did not finish within its 60 s."),
        ({"dialog": "Hello"}, "unexpected_dialog", "A dialog of shop.acme.example got in the way: “Hello”."),
        ({}, "internal_error", "The check ended without a finding."),
    ],
)
def test_the_code_and_its_words(found: dict[str, Any], code: str, message: str) -> None:
    assert judge(**found) == Outcome(code, message)


@pytest.mark.parametrize(
    ("net_error", "code"),
    [
        ("ERR_NAME_RESOLUTION_FAILED", "dns_error"),
        ("ERR_DNS_TIMED_OUT", "dns_error"),
        ("ERR_CONNECTION_RESET", "connection_refused"),
        ("ERR_UNSAFE_PORT", "internal_error"),
        ("ERR_EMPTY_RESPONSE", "connection_refused"),
        ("ERR_CONNECTION_TIMED_OUT", "connection_timeout"),
        ("ERR_SSL_PROTOCOL_ERROR", "tls_error"),
        ("ERR_TOO_MANY_REDIRECTS", "sso_loop"),
        ("ERR_INTERNET_DISCONNECTED", "network_unreachable"),
        ("ERR_PROXY_CONNECTION_FAILED", "network_unreachable"),
        ("ERR_INSUFFICIENT_RESOURCES", "out_of_resources"),
    ],
)
def test_network_errors(net_error: str, code: str) -> None:
    outcome = judge(net_error=net_error)
    assert outcome.code == code
    assert net_error in outcome.message


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_of_ours_outweighs_a_nominal_success(fault: Fault) -> None:
    outcome = judge(login=IN, fault=fault, detail="as the Grid put it")
    assert outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE
    assert outcome.message.endswith(": as the Grid put it")


@pytest.mark.parametrize(
    "found",
    [
        {"net_error": "ERR_CONNECTION_REFUSED"},
        {"net_error": "ERR_NAME_NOT_RESOLVED"},
        {"net_error": "ERR_CERT_AUTHORITY_INVALID"},
        {"timed_out": TimedOut.PAGE},
        {"timed_out": TimedOut.CONNECTION},
    ],
)
def test_the_network_is_ours_when_the_control_page_fails_too(found: dict[str, Any]) -> None:
    assert judge(**found).outcome_class is OutcomeClass.PARTNER_FAILURE
    assert judge(**found, control_page_failed=False) == judge(**found)
    assert judge(**found, control_page_failed=True).code == "network_unreachable"


def test_a_refusal_is_the_site_s_word_whatever_the_network_did() -> None:
    assert judge(login=REFUSED, said="No.", control_page_failed=True).code == "credentials_rejected"


def test_every_finding_and_every_timeout_has_a_judgement() -> None:
    outcomes = [judge(login=finding) for finding in LoginFinding] + [judge(timed_out=over) for over in TimedOut]
    assert {outcome.code for outcome in outcomes} <= CATALOGUE.keys() - {"internal_error"}


def test_the_worst_check_decides_the_attempt() -> None:
    outcomes = [Outcome("success"), Outcome("http_5xx"), Outcome("node_lost"), Outcome("slow")]
    assert overall(outcomes).code == "node_lost"
    assert overall(outcomes[:2]).code == "http_5xx"
    assert overall([]).code == "internal_error"
