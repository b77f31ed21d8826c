"""Translates what selenium, the Grid and the driver say into typed facts. New failure texts are added here.

Exceptions are matched by class first, then by the first line of their text; the rest of a text is build information.
"""

import re
from dataclasses import dataclass
from typing import Any

from selenium.common.exceptions import (
    InvalidSessionIdException,
    SessionNotCreatedException,
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)

from services.runner.browser.connection import Aborted, DeadlineOver, Unreachable
from shared.domain.evidence import Fault, TimedOut


class AcquireFailed(Exception):
    """No session could be had."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


class PageTrouble(Exception):
    """A page did not come: `facts` are the fields of `Facts` that say why."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(str(facts))
        self.facts = facts


class Misconfigured(Exception):
    """What a check is told to do can't be done anywhere. `detail` is for who configured it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Signature:
    text: str
    fault: Fault


_SIGNATURES = (
    _Signature("unable to create native thread", Fault.THREADS_EXHAUSTED),
    _Signature("unable to create new native thread", Fault.THREADS_EXHAUSTED),
    _Signature("failed to start a thread", Fault.THREADS_EXHAUSTED),
    _Signature("pthread_create", Fault.THREADS_EXHAUSTED),
    _Signature("failed to write prefs file", Fault.RESOURCES_EXHAUSTED),
    _Signature("no space left on device", Fault.RESOURCES_EXHAUSTED),
    _Signature("resource temporarily unavailable", Fault.RESOURCES_EXHAUSTED),
    _Signature("cannot allocate memory", Fault.RESOURCES_EXHAUSTED),
    _Signature("java heap space", Fault.RESOURCES_EXHAUSTED),
    _Signature("prematurely, exit value: 133", Fault.RESOURCES_EXHAUSTED),
    _Signature("no nodes support the capabilities", Fault.BROWSER_NOT_OFFERED),
    _Signature("new session request timed out", Fault.QUEUE_TIMED_OUT),
    _Signature("tab crashed", Fault.BROWSER_GONE),
    _Signature("page crash", Fault.BROWSER_GONE),
    _Signature("browser has closed the connection", Fault.BROWSER_GONE),
    _Signature("not connected to devtools", Fault.BROWSER_GONE),
    _Signature("chrome not reachable", Fault.BROWSER_GONE),
    _Signature("node was removed from the grid", Fault.NODE_GONE),
    _Signature("timed out due to inactivity", Fault.SESSION_UNKNOWN),
    _Signature("java.util.concurrent.timeoutexception", Fault.SESSION_UNKNOWN),
    _Signature("unable to find session with id", Fault.SESSION_UNKNOWN),
    _Signature("cannot find session with id", Fault.SESSION_UNKNOWN),
)

_NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
_FIREFOX_ERROR = re.compile(r"about:(?:neterror|certerror)\?e=(\w+)")
_FIREFOX_NAMES = {
    "dnsNotFound": "ERR_NAME_NOT_RESOLVED",
    "connectionFailure": "ERR_CONNECTION_REFUSED",
    "netReset": "ERR_CONNECTION_RESET",
    "netInterrupt": "ERR_CONNECTION_CLOSED",
    "netTimeout": "ERR_CONNECTION_TIMED_OUT",
    "redirectLoop": "ERR_TOO_MANY_REDIRECTS",
    "nssFailure2": "ERR_SSL_PROTOCOL_ERROR",
    "nssBadCert": "ERR_CERT_INVALID",
    "proxyConnectFailure": "ERR_PROXY_CONNECTION_FAILED",
}


def fault_while_acquiring(error: BaseException) -> AcquireFailed:
    """Everything that goes wrong before a session exists is ours."""
    detail = first_line(error)
    if isinstance(error, Unreachable | DeadlineOver | Aborted):
        return AcquireFailed(Fault.WEBDRIVER_SILENT, detail)
    known = _known_fault(detail)
    if known in (Fault.BROWSER_GONE, Fault.SESSION_UNKNOWN):
        known = Fault.SESSION_REFUSED
    if known is None and isinstance(error, WebDriverException) and not isinstance(error, SessionNotCreatedException):
        known = Fault.WEBDRIVER_SILENT if "not a WebDriver answer" in detail else None
    return AcquireFailed(known or Fault.SESSION_REFUSED, detail)


def facts_of(error: BaseException, node: str | None) -> dict[str, Any]:
    """The fields of `Facts` that an exception during a check stands for. `node` is the address of the Grid's node."""
    detail = first_line(error)
    match error:
        case PageTrouble():
            return error.facts
        case Misconfigured():
            return {"fault": Fault.MISCONFIGURED, "detail": error.detail}
        case UnexpectedAlertPresentException():
            return {"dialog": dialog_text(error)}
        case Unreachable():
            return {"fault": Fault.WEBDRIVER_SILENT, "detail": detail}
        case DeadlineOver() | Aborted():
            return {"timed_out": TimedOut.PAGE}  # the page holds the driver back
    net_error = net_error_in(str(error)) if isinstance(error, WebDriverException) else None
    if net_error is not None:
        return {"net_error": net_error}
    known = _known_fault(detail)
    if known is None and "unable to execute request for an existing session" in detail.lower():
        # The Grid names whom it could not reach: its node, or the node's driver.
        known = Fault.NODE_GONE if node is not None and node in str(error) else Fault.BROWSER_GONE
    if known is None and isinstance(error, InvalidSessionIdException):
        known = Fault.BROWSER_GONE
    if known is not None:
        return {"fault": known, "detail": detail}
    if isinstance(error, TimeoutException):
        return {"timed_out": TimedOut.PAGE}
    return {"fault": Fault.UNEXPECTED_ERROR, "detail": f"{type(error).__name__}: {detail}"}


def dialog_text(error: UnexpectedAlertPresentException) -> str:
    """What the dialog says, at any length; nothing in Firefox, whose driver does not pass it on."""
    return (error.alert_text or "").strip()


def net_error_in(text: str) -> str | None:
    """Chromium's name of a network error in a driver's message; Firefox's names are translated."""
    found = _NET_ERROR.search(text)
    if found:
        return found.group(1)
    found = _FIREFOX_ERROR.search(text)
    return _FIREFOX_NAMES.get(found.group(1), "ERR_FAILED") if found else None


def first_line(error: BaseException) -> str:
    """What an exception says, without stack and build information, at any length: it is cut once it is masked."""
    text = error.msg if isinstance(error, WebDriverException) and error.msg else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    # A driver may give the cause on a line of its own.
    line += "".join(f", {cause}" for cause in lines[1:2] if cause.startswith("from "))
    # The Grid wraps its nodes' messages, whose own words stand in the middle.
    inner = re.search(r"Message: (.*)", line)
    return inner.group(1) if inner else line


def _known_fault(text: str) -> Fault | None:
    lowered = text.lower()
    return next((signature.fault for signature in _SIGNATURES if signature.text in lowered), None)
