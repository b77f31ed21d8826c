"""The whole OpenAPI against the running application: no crash, and nothing that the description does not promise."""

import asyncio
import threading
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
import requests
import schemathesis
import uvicorn
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from schemathesis import checks
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.app import create_app
from services.api.keys import create_key
from services.api.settings import ApiSettings
from shared.database import connect
from tests.api.conftest import ACME, CHROMIUM, CLI, EVERY_QUARTER
from tests.conftest import session_fixture
from tests.patience import PATIENCE_SECONDS, PLAIN_HTTP
from tests.servers.postgres import PostgresServer

# Not `positive_data_acceptance`: a schema can't say which zones and CRON expressions exist.
CHECKS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.ignored_auth,
    checks.unsupported_method,
)

# Their last part is read as an id by other methods, which refuse it as one that is malformed.
LIKE_AN_ID = ("/api/v1/dead-letters/replay",)
TRY = "/api/v1/partners/{code}/try"


class Running:
    """The application behind a real server, in a thread with a loop of its own."""

    def __init__(self, settings: ApiSettings) -> None:
        self.app = create_app(settings)
        config = uvicorn.Config(self.app, port=0, log_level="critical", access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    async def start(self) -> str:
        self.thread.start()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.server.started:
                await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self.server.should_exit = True
        await asyncio.to_thread(self.thread.join, PATIENCE_SECONDS)


class Target:
    def __init__(self, url: str, key: str, configuration: str, job: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"}
        self.known = {"/job-configurations/": configuration, "/jobs/": job}
        self.session = requests.Session()
        self.session.trust_env = False


@session_fixture
async def target(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    database_url = await postgres_server.create_database()
    settings = {"database_url": database_url, "secret_keys": Fernet.generate_key().decode()}
    running = Running(ApiSettings.model_validate({**settings, "evidence_dir": tmp_path_factory.mktemp("evidence")}))
    url = await running.start()
    key = await _make_key(database_url)
    async with httpx.AsyncClient(
        base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}, **PLAIN_HTTP
    ) as client:
        await client.post("/browsers", json=CHROMIUM)
        await client.post("/partners", json=ACME)
        configuration = (await client.post("/job-configurations", json=EVERY_QUARTER)).json()["id"]
        job = (await client.post("/jobs", json=CLI)).json()["id"]
    yield Target(url, key, configuration, job)
    await running.stop()
    await postgres_server.drop_database(database_url)


def _describe() -> dict[str, Any]:
    nowhere = {"database_url": "postgresql://localhost/none", "secret_keys": Fernet.generate_key().decode()}
    description: dict[str, Any] = create_app(ApiSettings.model_validate(nowhere)).openapi()
    _spell_out_flows_once(description)
    return description


def _spell_out_flows_once(description: dict[str, Any]) -> None:
    """Every kind of step where a flow is tried; elsewhere one will do, and one flow where a partner is patched.

    Each way in which a step can be wrong is sent, and a patch of four flows has 15,000.
    """
    schemas = description["components"]["schemas"]
    schemas["FlowOfAllSteps"] = deepcopy(schemas["Flow"])
    _without_null(schemas["TrySent"]["properties"]["flow"])["$ref"] = "#/components/schemas/FlowOfAllSteps"
    schemas["Flow"]["properties"]["steps"]["items"] = {"$ref": "#/components/schemas/LogInStep"}
    for content in description["paths"]["/api/v1/partners/{code}"]["patch"]["requestBody"]["content"].values():
        checks = content["schema"]["properties"]
        _without_null(checks["login"])["properties"]["flow"] = {"$ref": "#/components/schemas/Flow"}
        for check in ("sso", "product_page", "express_checkout"):
            del _without_null(checks[check])["properties"]["flow"]


def _without_null(choice: dict[str, Any]) -> dict[str, Any]:
    [only] = [each for each in choice["anyOf"] if each.get("type") != "null"]
    return cast(dict[str, Any], only)


@pytest.fixture(scope="session")
def in_short() -> schemathesis.BaseSchema:
    """Without each way in which a change can be wrong: it is checked like what is made, which is sent in each."""
    no_coverage = {"phases": {"coverage": {"enabled": False}}}
    changes = [{"include-method": ["PATCH", "PUT"], **no_coverage}, {"include-path": TRY, **no_coverage}]
    return schemathesis.openapi.from_dict(_describe(), config=schemathesis.Config.from_dict({"operations": changes}))


@pytest.fixture(scope="session")
def in_full() -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_dict(_describe())


@pytest.fixture(autouse=True)
def node_id(request: pytest.FixtureRequest) -> None:
    """What this version of Schemathesis reads, and this version of pytest has under another name."""
    request.node._nodeid = request.node.nodeid


def _settings(max_examples: int) -> settings:
    not_checked = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(max_examples=max_examples, deadline=None, derandomize=True, suppress_health_check=not_checked)


# Both are described when they run: each worker would do so when it collects.
@pytest.mark.timeout(1800)
@schemathesis.pytest.from_fixture("in_short").parametrize()
@_settings(max_examples=15)
def test_the_application_is_as_it_is_described(case: "schemathesis.Case[Any]", target: Target) -> None:
    _compare(case, target)


@pytest.mark.long
@pytest.mark.timeout(3600)
@schemathesis.pytest.from_fixture("in_full").parametrize()
@_settings(max_examples=100)
def test_all_that_can_be_wrong_is_answered_as_described(case: "schemathesis.Case[Any]", target: Target) -> None:
    _compare(case, target)


def _compare(case: "schemathesis.Case[Any]", target: Target) -> None:
    _aim(case, target.known)
    response = case.call(base_url=target.url, session=target.session, headers=target.headers, timeout=PATIENCE_SECONDS)
    left_out = [checks.unsupported_method] if case.path in LIKE_AN_ID else []
    case.validate_response(response, checks=list(CHECKS), excluded_checks=left_out)


async def _make_key(database_url: str) -> str:
    engine = connect(database_url, application_name="test", pool_size=1)
    async with AsyncSession(engine) as session, session.begin():
        key = await create_key(session, "ops", ["admin"])
    await engine.dispose()
    return key


def _aim(case: "schemathesis.Case[Any]", known: dict[str, str]) -> None:
    """Half of the well-formed ids, and all to be patched, become one that exists. Nothing others need is deleted."""
    parameters = case.path_parameters
    if case.method == "DELETE":
        parameters.update({name: "none" for name in ("code", "name") if parameters.get(name) in ("acme", "chromium")})
        return
    try:
        made_up = UUID(str(parameters.get("id")))
        for noun, existing in known.items():
            if noun in case.path and (case.method in ("PATCH", "PUT") or made_up.int % 2 == 0):
                parameters["id"] = existing
    except ValueError:
        pass
