"""What a site says in a dialog of the browser, which the driver dismisses with the first command that meets it."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from services.runner.browser import session
from services.runner.browser.attempt import AttemptReport

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


@pytest.fixture
def no_devtools(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with WebKit: pictures are taken by the driver."""

    async def none(*_: object) -> None:
        return None

    monkeypatch.setattr(session, "devtools_address", none)


async def test_a_refusal_in_a_dialog(check: Check, site: str) -> None:
    report = await check(f"{site}/dialog_refusal")
    assert (report.outcome.code, "Wrong password." in report.outcome.message) == ("credentials_rejected", True), report


@pytest.mark.usefixtures("no_devtools")
async def test_a_refusal_in_a_dialog_that_a_picture_meets(check: Check, site: str) -> None:
    report = await check(f"{site}/dialog_refusal", step_screenshots="always")
    assert (report.outcome.code, "Wrong password." in report.outcome.message) == ("credentials_rejected", True), report


async def test_a_dialog_that_a_look_into_a_frame_meets(check: Check, site: str) -> None:
    report = await check(f"{site}/frame_dialog")
    assert report.outcome.code == "unexpected_dialog", report
    assert "Your session has ended." in report.outcome.message
