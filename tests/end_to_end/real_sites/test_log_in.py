"""By address and credentials alone: the right ones get in, wrong ones are told from every other trouble."""

from dataclasses import replace

import pytest

from services.runner.browser.attempt import AttemptReport
from tests.end_to_end.real_sites.conftest import Site

# Installing an application for the first time takes minutes.
pytestmark = [pytest.mark.real_sites, pytest.mark.timeout(1500)]

WRONG_SECRET = "MZXW6YTBOJUW23DBMZXW6YTBOJUW23DB"


async def test_a_wrong_password_is_refused(site: Site) -> None:
    credentials = replace(site.application.credentials, password="Not-this-one-5")
    report = await site.log_in("wrong password", credentials)
    assert report.outcome.code == "credentials_rejected", story_of(report)


async def test_a_wrong_code_is_refused(site: Site) -> None:
    if site.application.totp_secret is None:
        pytest.skip("asks for no code")
    report = await site.log_in("wrong code", replace(site.application.credentials, totp_secret=WRONG_SECRET))
    assert report.outcome.code == "mfa_rejected", story_of(report)


async def test_the_right_ones_get_in(site: Site) -> None:
    report = await site.log_in("right", site.application.credentials)
    assert report.outcome.code in ("success", "slow"), story_of(report)


def story_of(report: AttemptReport) -> str:
    steps = [f"{step.offset_seconds:.1f} s {step.name}: {step.detail}" for step in report.checks[0].steps]
    return "\n".join([f"{report.outcome.code}: {report.outcome.message}", *steps, f"at {report.final_url}"])
