"""The API as one ASGI application: `create_app(settings)`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker
from starlette.middleware.gzip import GZipMiddleware

from services.api import process_health
from services.api.body_limit import LimitBody
from services.api.browsers.routes import router as browsers
from services.api.dead_letters.routes import router as dead_letters
from services.api.dependencies import Resources
from services.api.docs import add_docs
from services.api.errors import AnswerCrashes, problems, register_errors
from services.api.flows.routes import router as flows
from services.api.infrastructure.routes import router as infrastructure
from services.api.job_configurations.routes import router as job_configurations
from services.api.job_results.routes import router as job_results
from services.api.jobs.routes import router as jobs
from services.api.metrics import API_PREFIX, CountRequests, Metrics
from services.api.outcome_types.routes import router as outcome_types
from services.api.pages.routes import add_pages
from services.api.partners.routes import router as partners
from services.api.scheduled_jobs.routes import router as scheduled_jobs
from services.api.schedules.routes import router as schedules
from services.api.settings import ApiSettings
from services.api.status.routes import router as status
from services.api.tries.routes import router as tries
from shared.database import connect
from shared.domain.address_guard import AddressGuard
from shared.evidence_store import open_store
from shared.secret_box import SecretBox

POOL_SIZE = 10
DESCRIPTION = """
Does logging in to each partner work? And if not: is it them, or is it us?

Times are RFC 3339 in UTC, durations in seconds. Errors are RFC 9457 problem documents with a stable `code`; for invalid
input, `errors` names each field. Lists come in pages: pass `next_cursor` as `cursor`. Unknown fields are refused.
A POST may carry an `Idempotency-Key`: a repeat within a day gets the first answer again and does nothing more.
Secrets are write-only.
"""
NOUNS = (
    partners,
    browsers,
    job_configurations,
    jobs,
    scheduled_jobs,
    job_results,
    dead_letters,
    outcome_types,
    status,
    infrastructure,
    schedules,
    flows,
    tries,
)


def create_app(settings: ApiSettings) -> FastAPI:
    """Raises ValueError when there are no keys to encrypt credentials with."""
    SecretBox(settings.keys())
    app = FastAPI(
        title="Parakeet",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=True,
    )
    app.state.settings = settings
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5)
    app.add_middleware(AnswerCrashes)
    app.add_middleware(LimitBody)
    app.add_middleware(CountRequests)
    register_errors(app)
    api = APIRouter(prefix=API_PREFIX, responses=problems(401, 403, 413, 422, 500, 503))
    for noun in NOUNS:
        api.include_router(noun)
    app.include_router(api)
    app.include_router(process_health.router)
    add_docs(app)
    add_pages(app)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Whatever is open or counts while it runs is made here, from the settings at that time."""
    settings: ApiSettings = app.state.settings
    engine = connect(settings.database_url, application_name="parakeet api", pool_size=POOL_SIZE)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    evidence, guard = open_store(settings), AddressGuard(settings.callback_allow)
    app.state.resources = Resources(settings, engine, sessions, SecretBox(settings.keys()), evidence, guard)
    app.state.metrics = Metrics()
    yield
    await evidence.close()
    await engine.dispose()


def _version() -> str:
    try:
        return version("parakeet")
    except PackageNotFoundError:
        return "0.1.0"
