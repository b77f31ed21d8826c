"""One application at a time: installed, started, tried, stopped; what became of each goes into the results."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials
from services.runner.browser.run import run_browser_task
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.applications import APPLICATIONS
from tests.end_to_end.real_sites.packages import NotInstallable
from tests.end_to_end.real_sites.results import RESULTS, SiteResult
from tests.end_to_end.test_three_processes import parakeet
from tests.runner.browser.conftest import ignore, no_browser_is_left, settings_for, task_for

__all__ = ["no_browser_is_left", "parakeet"]


@pytest.fixture(scope="session", autouse=True)
def no_old_results(request: pytest.FixtureRequest) -> None:
    """Those of applications that this run leaves out, because `-k` names others, stay."""
    if not request.config.getoption("keyword"):
        shutil.rmtree(RESULTS, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Site:
    """An application that runs, and the line of results that its tests fill."""

    application: Application
    result: SiteResult
    webdriver_url: str

    async def log_in(self, given: str, credentials: Credentials) -> AttemptReport:
        """Runs its check there; `given` is the column of the results."""
        address = self.application.entry_point
        checks = (CheckTask(self.application.check, address, credentials),)
        task = task_for(address, checks=checks, timeout_seconds=60, patience_seconds=10)
        report = await run_browser_task(task, settings_for(self.webdriver_url), on_session=ignore)
        self.result.verdicts[given] = report.outcome.code
        self.result.seconds[given] = report.checks[0].duration_seconds
        kept = RESULTS / self.application.slug() / given.replace(" ", "-")
        kept.mkdir(parents=True, exist_ok=True)
        for evidence in report.evidence:
            (kept / evidence.name).write_bytes(evidence.content)
        return report


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=APPLICATIONS, ids=[each.slug() for each in APPLICATIONS]
)
async def running(request: pytest.FixtureRequest, servers: Path) -> AsyncIterator[tuple[Application, SiteResult]]:
    chosen: type[Application] = request.param
    application = chosen(servers / chosen.slug())
    result = SiteResult(chosen.name, chosen.version(), chosen.mechanics)
    try:
        await application.start()
    except NotInstallable as reason:
        result.skipped = str(reason)
        result.save(chosen.slug())
        pytest.skip(f"{chosen.name} could not be installed: {reason}")
    try:
        yield application, result
    finally:
        await application.stop()
        result.save(chosen.slug())
        shutil.copy(application.log_path, RESULTS / f"{chosen.slug()}.log")


@pytest.fixture
def site(running: tuple[Application, SiteResult], webdriver_url: str) -> Site:
    return Site(*running, webdriver_url)
