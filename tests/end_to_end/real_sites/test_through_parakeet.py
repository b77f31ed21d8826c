"""The same through all of Parakeet: added as a partner by the API, run by scheduler and runner on a real Grid."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.applications.django_two_factor_auth import DjangoTwoFactorAuth
from tests.end_to_end.real_sites.applications.node_red import NodeRed
from tests.end_to_end.real_sites.packages import NotInstallable
from tests.end_to_end.test_three_processes import RARELY, Parakeet

pytestmark = [pytest.mark.real_sites, pytest.mark.timeout(1500)]
CHOSEN = (NodeRed, DjangoTwoFactorAuth)


@pytest_asyncio.fixture(params=CHOSEN, ids=[each.slug() for each in CHOSEN])
async def application(request: pytest.FixtureRequest, servers: Path) -> AsyncIterator[Application]:
    chosen: type[Application] = request.param
    made = chosen(servers / f"partner-{chosen.slug()}")
    try:
        await made.start()
    except NotInstallable as reason:
        pytest.skip(f"{chosen.name} could not be installed: {reason}")
    yield made
    await made.stop()


async def test_a_partner_works_until_its_password_is_wrong(parakeet: Parakeet, application: Application) -> None:
    code = application.slug()
    right = {"username": application.username, "password": application.password, "totp_secret": application.totp_secret}
    partner = {"code": code, "name": application.name, "entry_point": application.entry_point, "credentials": right}
    await parakeet.post("partners", partner)
    schedule = {"interval_seconds": RARELY}
    configuration = {"partner": code, "browsers": ["chromium"], "schedule": schedule, "timeout_seconds": 60}
    made = await parakeet.post("job-configurations", configuration)
    worked = await parakeet.result(await parakeet.run(made["id"]))
    assert worked["outcome"]["class"] in ("passed", "degraded"), worked["outcome"]
    assert (await parakeet.state(code))[0] in ("working", "degraded")

    wrong = right | {"password": "Not-this-one-5"}
    await parakeet.call("PATCH", f"/api/v1/partners/{code}", {"credentials": wrong})
    refused = await parakeet.result(await parakeet.run(made["id"]))
    assert refused["outcome"]["code"] == "credentials_rejected", refused["outcome"]
