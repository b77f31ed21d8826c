"""The rules of HTTP callbacks: templates, what counts as success, the judgement, and when to try again."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from shared.domain.outcome import CODES_THE_NETWORK_MAY_CAUSE, Outcome, OutcomeClass

TEMPLATE_NAMES = ("scheduled_job_id", "job_id", "due_at", "attempt")

_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
# Whoever normalised the URL may have percent-encoded the braces.
_TEMPLATE_IN_URL = re.compile(r"(?i)(?:\{|%7B){2}((?:[^{}%]|%20)*)(?:\}|%7D){2}")


def unknown_templates(value: Any) -> list[str]:
    """The names in `{{name}}` that are none of TEMPLATE_NAMES, sorted, from all strings of a JSON value or a URL."""
    found = {_name(match[1]) for text in _strings(value) for match in _TEMPLATE_IN_URL.finditer(text)}
    return sorted(found - set(TEMPLATE_NAMES))


def render(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value with `{{name}}` replaced in its strings, but not in its keys. Other names stay as they are."""
    match value:
        case str():
            return _TEMPLATE.sub(_replacement(values, lambda text: text), value) if "{{" in value else value
        case dict():
            return {key: render(item, values) for key, item in value.items()}
        case list():
            return [render(item, values) for item in value]
    return value


def render_url(url: str, values: Mapping[str, str]) -> str:
    """As `render`; what is inserted is percent-encoded, and so cannot change the parts of the URL."""
    return _TEMPLATE_IN_URL.sub(_replacement(values, lambda text: quote(text, safe="")), url)


def _replacement(values: Mapping[str, str], spell: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    def replaced(match: re.Match[str]) -> str:
        name = _name(match[1])
        return spell(values[name]) if name in values else match[0]

    return replaced


def _name(inside: str) -> str:
    return inside.replace("%20", " ").strip()


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)


@dataclass(frozen=True, slots=True)
class SuccessRule:
    """Inclusive ranges of status codes, and a text that the body must contain."""

    status_codes: tuple[tuple[int, int], ...] = ((200, 299),)
    body_contains: str | None = None

    def expects(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.status_codes)


def parse_status_codes(items: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """["200-299", "304"] to ((200, 299), (304, 304)). Raises ValueError naming the bad item, or for no item at all."""
    if not items:
        raise ValueError("at least one status code is needed")
    ranges = []
    for item in items:
        match = re.fullmatch(r"\s*([1-5][0-9]{2})\s*(?:-\s*([1-5][0-9]{2})\s*)?", item, re.ASCII)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if low > high:
            raise ValueError(f"{item!r} is neither a status code (100 to 599) nor a range such as 200-299")
        ranges.append((low, high))
    return tuple(ranges)


class Network(StrEnum):
    """What kept a complete answer from coming in."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    REDIRECTED_BADLY = "redirected_badly"


@dataclass(frozen=True, slots=True)
class CallbackFacts:
    """What one sending found out. Durations in seconds; every text is already free of secrets.

    `host` is the last one that was spoken to. `forbidden` says why nothing was sent (an address, a redirect to one, a
    URL that is none). `fault` is an error of ours. `detail` is the other side's wording of `network`. `status_expected`
    and `body_matched` are None when there was no complete answer, or nothing to compare with; `control_page_failed` is
    None when the control page was not asked.
    """

    host: str
    duration_seconds: float
    timeout_seconds: float
    slow_after_seconds: float | None = None
    forbidden: str | None = None
    fault: str | None = None
    network: Network | None = None
    detail: str = ""
    status: int | None = None
    status_expected: bool | None = None
    body_matched: bool | None = None
    control_page_failed: bool | None = None


_NETWORK: dict[Network, tuple[str, str]] = {
    Network.DNS: ("dns_error", "{host} could not be resolved"),
    Network.REFUSED: ("connection_refused", "{host} refused the connection"),
    Network.UNREACHABLE: ("connection_timeout", "{host} cannot be reached"),
    Network.CONNECT_TIMEOUT: ("connection_timeout", "{host} did not accept a connection in time"),
    Network.TLS: ("tls_error", "The certificate or encryption of {host} is not acceptable"),
    Network.TIMEOUT: ("check_timeout", "No complete answer within its {limit:g} s"),
    Network.BROKEN: ("connection_refused", "{host} broke the connection, or did not answer in HTTP"),
    Network.TOO_MANY_REDIRECTS: ("callback_rejected", "Redirected too many times, at last by {host}"),
    Network.REDIRECTED_BADLY: ("callback_rejected", "{host} redirected to where callbacks are not sent"),
}


def judge_callback(facts: CallbackFacts) -> Outcome:
    """The judgement on one sending. What the network may have caused is ours when our control page fails as well."""
    if facts.forbidden is not None:
        return Outcome("callback_rejected", f"Not sent: {facts.forbidden}.")
    if facts.fault is not None:
        return Outcome("internal_error", f"An error of Parakeet's own: {facts.fault}")
    if facts.network is None:
        return _judge_answer(facts)
    code, words = _NETWORK[facts.network]
    message = words.format(host=facts.host, limit=facts.timeout_seconds) + (
        f" ({facts.detail})." if facts.detail else "."
    )
    if facts.control_page_failed and code in CODES_THE_NETWORK_MAY_CAUSE:
        return Outcome("network_unreachable", f"Our own control page fails as well. First seen: {message}")
    return Outcome(code, message)


def _judge_answer(facts: CallbackFacts) -> Outcome:
    if facts.status is None:
        return Outcome("internal_error", "The callback ended without a finding.")
    answered = f"{facts.host} answered {facts.status}"
    if not facts.status_expected:
        code = {4: "http_4xx", 5: "http_5xx"}.get(facts.status // 100, "callback_rejected")
        return Outcome(code, f"{answered}, which does not count as success.")
    if facts.body_matched is False:
        return Outcome("callback_rejected", f"{answered}, but without the expected text.")
    if facts.slow_after_seconds and facts.duration_seconds > facts.slow_after_seconds:
        took = f"{answered}, but took {facts.duration_seconds:.1f} s"
        return Outcome("slow", f"{took} (warning limit {facts.slow_after_seconds:g} s).")
    return Outcome("success", f"{answered} in {facts.duration_seconds:.2f} s.")


@dataclass(frozen=True, slots=True)
class CallbackRetry:
    """`attempts` counts all attempts, the first included. The wait doubles from the minimum up to the maximum."""

    attempts: int
    min_backoff_seconds: float
    max_backoff_seconds: float
    max_age_seconds: float


# Ten years: longer than anyone waits, and still a moment that datetime can hold.
_LONGEST_SECONDS = 3650 * 86400.0


def callback_retry_at(
    outcome: Outcome,
    failures_before: int,
    policy: CallbackRetry,
    *,
    since: datetime,
    now: datetime,
    retry_after_seconds: float | None,
    forbidden: bool,
    retry_before: datetime,
) -> datetime | None:
    """When to send again, or None when this outcome is final.

    `failures_before` counts the earlier attempts that failed. The age counts from `since`: the due moment, or that of
    the replay. What the target asked for by Retry-After is waited for even beyond the maximum backoff. A retry comes
    before `retry_before`. Nothing forbidden is tried again: it would be forbidden again.
    """
    retried = outcome.outcome_class in (OutcomeClass.PARTNER_FAILURE, OutcomeClass.INFRASTRUCTURE_FAILURE)
    if not retried or forbidden or failures_before + 1 >= policy.attempts:
        return None
    backoff = min(policy.min_backoff_seconds * 2 ** min(failures_before, 30), policy.max_backoff_seconds)
    wait = max(backoff, retry_after_seconds or 0)
    moment = now + timedelta(seconds=min(wait, _LONGEST_SECONDS))
    oldest = since + timedelta(seconds=min(policy.max_age_seconds, _LONGEST_SECONDS - 1))
    return moment if moment <= oldest and moment < retry_before else None
