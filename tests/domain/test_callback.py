"""The rules of HTTP callbacks, by tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.callback import (
    CallbackFacts,
    CallbackRetry,
    Network,
    SuccessRule,
    callback_retry_at,
    judge_callback,
    parse_status_codes,
    render,
    render_url,
    unknown_templates,
)
from shared.domain.outcome import Outcome

VALUES = {"scheduled_job_id": "s-1", "job_id": "{{attempt}}", "due_at": "2026-03-10T12:00:00+01:00", "attempt": "2"}
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
POLICY = CallbackRetry(attempts=5, min_backoff_seconds=10, max_backoff_seconds=60, max_age_seconds=3600)


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("run {{scheduled_job_id}}, try {{ attempt }}", "run s-1, try 2"),
        ({"a": ["{{attempt}}", 1, None], "b": {"c": "{{scheduled_job_id}}"}}, {"a": ["2", 1, None], "b": {"c": "s-1"}}),
        ({"{{attempt}}": "x"}, {"{{attempt}}": "x"}),
        ("{{job_id}}", "{{attempt}}"),
        ("{{unknown}} {{}} {attempt} {{{attempt}}}", "{{unknown}} {{}} {attempt} {2}"),
        (7, 7),
    ],
)
def test_templates_are_replaced_in_strings_once(value: Any, rendered: Any) -> None:
    assert render(value, VALUES) == rendered


@pytest.mark.parametrize(
    ("url", "rendered"),
    [
        ("https://a.example/{{attempt}}?at={{ due_at }}", "https://a.example/2?at=2026-03-10T12%3A00%3A00%2B01%3A00"),
        ("https://a.example/%7B%7Battempt%7d%7D/%7B%7B%20attempt%20%7D%7D", "https://a.example/2/2"),
        ("https://a.example/{{job_id}}", "https://a.example/%7B%7Battempt%7D%7D"),
        ("https://a.example/{{other}}", "https://a.example/{{other}}"),
    ],
)
def test_what_is_put_into_a_url_is_percent_encoded(url: str, rendered: str) -> None:
    assert render_url(url, VALUES) == rendered


def test_unknown_templates_are_found_wherever_they_are() -> None:
    assert unknown_templates({"a": ["{{ due_att }}", "{{due_at}}"], "{{key}}": {"b": "{{x}}{{x}}"}}) == ["due_att", "x"]
    assert unknown_templates("https://a.example/%7B%7Bnope%7D%7D") == ["nope"]
    assert unknown_templates([1, None, "{{attempt}}", "{x}"]) == []


def test_many_open_braces_are_read_in_no_time() -> None:
    text = "{{" + " " * 50_000 + "{{ " * 50_000
    assert render(text, VALUES) == text
    assert unknown_templates(text) == []


@pytest.mark.parametrize(
    ("items", "ranges"),
    [(["200-299", "304"], ((200, 299), (304, 304))), ([" 200 - 204 "], ((200, 204),)), (["100-599"], ((100, 599),))],
)
def test_status_codes_are_read(items: list[str], ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_status_codes(items) == ranges


@pytest.mark.parametrize("item", ["", "2xx", "99", "600", "299-200", "200-", "200-299-300", "٢٠٠", "-1"])
def test_a_bad_status_code_is_named(item: str) -> None:
    with pytest.raises(ValueError, match="neither a status code") as raised:
        parse_status_codes(["200", item])
    assert repr(item) in str(raised.value)


def test_at_least_one_status_code_is_needed() -> None:
    with pytest.raises(ValueError, match="at least one"):
        parse_status_codes([])
    assert SuccessRule().expects(204) and not SuccessRule().expects(304)


def judged(**facts: Any) -> Outcome:
    return judge_callback(CallbackFacts(host="a.example", duration_seconds=1.5, timeout_seconds=30, **facts))


@pytest.mark.parametrize(
    ("network", "code"),
    [
        (Network.DNS, "dns_error"),
        (Network.REFUSED, "connection_refused"),
        (Network.BROKEN, "connection_refused"),
        (Network.UNREACHABLE, "connection_timeout"),
        (Network.CONNECT_TIMEOUT, "connection_timeout"),
        (Network.TLS, "tls_error"),
        (Network.TIMEOUT, "check_timeout"),
        (Network.TOO_MANY_REDIRECTS, "callback_rejected"),
        (Network.REDIRECTED_BADLY, "callback_rejected"),
    ],
)
def test_what_the_network_did_has_a_code(network: Network, code: str) -> None:
    assert judged(network=network, status=200, status_expected=True).code == code
    ours = judged(network=network, control_page_failed=True).code
    assert ours == (code if code == "callback_rejected" else "network_unreachable")
    assert judged(network=network, control_page_failed=False).code == code


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"status": 200, "status_expected": True}, "success"),
        ({"status": 404, "status_expected": True, "body_matched": True}, "success"),
        ({"status": 200, "status_expected": True, "slow_after_seconds": 1}, "slow"),
        ({"status": 200, "status_expected": True, "slow_after_seconds": 1.5}, "success"),
        ({"status": 404, "status_expected": False}, "http_4xx"),
        ({"status": 503, "status_expected": False, "slow_after_seconds": 1}, "http_5xx"),
        ({"status": 302, "status_expected": False}, "callback_rejected"),
        ({"status": 200, "status_expected": True, "body_matched": False}, "callback_rejected"),
        ({"status": 500, "status_expected": False, "body_matched": False}, "http_5xx"),
        ({"status": 500, "status_expected": False, "control_page_failed": True}, "http_5xx"),
        ({"forbidden": "127.0.0.1 is a loopback address"}, "callback_rejected"),
        ({"fault": "KeyError."}, "internal_error"),
        ({}, "internal_error"),
    ],
)
def test_an_answer_is_judged_by_status_text_and_time(facts: dict[str, Any], code: str) -> None:
    assert judged(**facts).code == code


def test_messages_are_sentences() -> None:
    assert judged(network=Network.TIMEOUT).message == "No complete answer within its 30 s."
    assert judged(network=Network.TLS, detail="expired").message.endswith("of a.example is not acceptable (expired).")
    assert judged(forbidden="::1 is a loopback address").message == "Not sent: ::1 is a loopback address."
    assert judged(status=200, status_expected=True).message == "a.example answered 200 in 1.50 s."


def wait(code: str = "http_5xx", failures: int = 0, **changes: Any) -> float | None:
    arguments: dict[str, Any] = {
        "policy": POLICY,
        "since": NOW,
        "now": NOW,
        "retry_after_seconds": None,
        "forbidden": False,
        "retry_before": NOW + timedelta(days=1),
    }
    moment = callback_retry_at(Outcome(code), failures, **(arguments | changes))
    return None if moment is None else (moment - NOW).total_seconds()


@pytest.mark.parametrize(("failures", "seconds"), [(0, 10), (1, 20), (2, 40), (3, 60), (4, None), (5_000, None)])
def test_the_wait_doubles_up_to_its_maximum_until_the_attempts_are_used_up(
    failures: int, seconds: float | None
) -> None:
    assert wait(failures=failures) == seconds


@pytest.mark.parametrize(
    ("code", "retried"),
    [
        ("http_4xx", True),
        ("dns_error", True),
        ("internal_error", True),
        ("success", False),
        ("slow", False),
        ("cancelled", False),
    ],
)
def test_only_failures_are_tried_again(code: str, retried: bool) -> None:
    assert (wait(code) is not None) is retried


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 10), (5, 10), (15, 15), (1000, 1000), (3600, 3600), (3601, None), (1e300, None)]
)
def test_retry_after_is_a_lower_bound_even_above_the_maximum(asked: float, seconds: float | None) -> None:
    assert wait(retry_after_seconds=asked) == seconds


def test_nothing_is_tried_again_when_it_is_too_old_or_too_late_or_forbidden() -> None:
    assert wait(since=NOW - timedelta(seconds=3590)) == 10
    assert wait(since=NOW - timedelta(seconds=3591)) is None
    assert wait(retry_before=NOW + timedelta(seconds=10)) is None
    assert wait(retry_before=NOW + timedelta(seconds=11)) == 10
    assert wait(forbidden=True) is None


def test_thousands_of_failures_do_not_overflow() -> None:
    endless = CallbackRetry(10**6, 1, 1e300, 1e300)
    assert wait(failures=9_999, policy=endless) is None
