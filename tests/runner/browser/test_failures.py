"""What selenium, Grid and driver say, word for word as recorded, and what it means."""

import pytest
from selenium.common.exceptions import (
    InvalidSessionIdException,
    SessionNotCreatedException,
    TimeoutException,
    WebDriverException,
)

from services.runner.browser.connection import DeadlineOver, Unreachable
from services.runner.browser.failures import facts_of, fault_while_acquiring
from shared.domain.evidence import Fault, TimedOut

_GRID = "Could not start a new session. "
_EXISTING = "Unable to execute request for an existing session: "


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (
            WebDriverException(
                "unable to create native thread: possibly out of memory or process/resource limits reached"
            ),
            Fault.THREADS_EXHAUSTED,
        ),
        (
            SessionNotCreatedException(_GRID + "No nodes support the capabilities in the request"),
            Fault.BROWSER_NOT_OFFERED,
        ),
        (SessionNotCreatedException(_GRID + "New session request timed out"), Fault.QUEUE_TIMED_OUT),
        (
            SessionNotCreatedException(
                _GRID + "Response code 500. Message: session not created: Chrome instance exited"
            ),
            Fault.SESSION_REFUSED,
        ),
        (
            SessionNotCreatedException(_GRID + "Driver server process died prematurely, exit value: 133"),
            Fault.RESOURCES_EXHAUSTED,
        ),
        (
            SessionNotCreatedException("session not created from unknown error: failed to write prefs file"),
            Fault.RESOURCES_EXHAUSTED,
        ),
        (SessionNotCreatedException(_GRID + "Connection error (POST http://node/session)"), Fault.SESSION_REFUSED),
        (WebDriverException("Authorization Required"), Fault.SESSION_REFUSED),
        (WebDriverException("not a WebDriver answer: <html>"), Fault.WEBDRIVER_SILENT),
        (Unreachable("[Errno 111] Connection refused"), Fault.WEBDRIVER_SILENT),
        (DeadlineOver("no answer before the deadline"), Fault.WEBDRIVER_SILENT),
    ],
)
def test_before_a_session_exists_everything_is_ours(error: Exception, fault: Fault) -> None:
    assert fault_while_acquiring(error).fault is fault


NODE = "http://10.0.0.5:5555"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (WebDriverException("tab crashed\n  (Session info: chrome=156)"), Fault.BROWSER_GONE),
        (
            InvalidSessionIdException(
                "invalid session id: session deleted as the browser has closed the connection\nfrom disconnected"
            ),
            Fault.BROWSER_GONE,
        ),
        (InvalidSessionIdException("invalid session id"), Fault.BROWSER_GONE),
        (
            WebDriverException(_EXISTING + f"Failed to execute request (POST {NODE}/session/1/url)"),
            Fault.NODE_GONE,
        ),
        (
            WebDriverException(_EXISTING + "Connection error (POST http://localhost:3333/session/1/url)"),
            Fault.BROWSER_GONE,
        ),
        (WebDriverException(_EXISTING + "java.util.concurrent.TimeoutException"), Fault.SESSION_UNKNOWN),
        (
            InvalidSessionIdException("Unable to find session with ID: 1, reason: node was removed from the grid"),
            Fault.NODE_GONE,
        ),
        (
            InvalidSessionIdException("Unable to find session with ID: 1, reason: session timed out due to inactivity"),
            Fault.SESSION_UNKNOWN,
        ),
        (InvalidSessionIdException("Unable to find session with ID: 1"), Fault.SESSION_UNKNOWN),
        (WebDriverException("unable to create native thread"), Fault.THREADS_EXHAUSTED),
        (Unreachable("the Grid hung up"), Fault.WEBDRIVER_SILENT),
        (KeyError("surprise"), Fault.UNEXPECTED_ERROR),
    ],
)
def test_during_a_check(error: Exception, fault: Fault) -> None:
    assert facts_of(error, NODE)["fault"] is fault


@pytest.mark.parametrize(
    ("message", "net_error"),
    [
        ("unknown error: net::ERR_NAME_NOT_RESOLVED", "ERR_NAME_NOT_RESOLVED"),
        ("Reached error page: about:neterror?e=connectionFailure&u=http", "ERR_CONNECTION_REFUSED"),
        ("Reached error page: about:neterror?e=somethingNew&u=http", "ERR_FAILED"),
    ],
)
def test_the_site_s_network_errors(message: str, net_error: str) -> None:
    assert facts_of(WebDriverException(message), None) == {"net_error": net_error}


def test_a_page_that_does_not_load_is_a_timeout_of_the_page() -> None:
    error = TimeoutException("timeout: Timed out receiving message from renderer: 2.5")
    assert facts_of(error, None) == {"timed_out": TimedOut.PAGE}
