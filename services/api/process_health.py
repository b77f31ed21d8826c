"""Whether this process lives, whether it can work, and what it counts."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.api.auth import READ
from services.api.dependencies import Provided, Resources, Session
from services.api.errors import DependencyUnavailable, FieldProblem, problems
from services.api.fields import View
from services.api.metrics import Metrics

router = APIRouter(tags=["process"])
TIMEOUT_SECONDS = 2


class Health(View):
    status: str


class Readiness(View):
    status: str
    checked: list[str]


def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


@router.get("/healthz")
async def healthz() -> Health:
    """200 while the process lives, whatever its dependencies do."""
    return Health(status="ok")


@router.get("/readyz", responses=problems(503))
async def readyz(provided: Provided) -> Readiness:
    """200 when everything it needs answers; else a problem that names what does not."""
    probes = {"database": _reach_database(provided)}
    if provided.settings.amqp_url:
        probes["rabbitmq"] = _reach_broker(provided.settings.amqp_url)
    if provided.settings.redis_url:
        probes["redis"] = _reach_redis(provided.settings.redis_url)
    failures = await asyncio.gather(*(_failure(probe) for probe in probes.values()))
    failed = [FieldProblem(field=name, message=reason) for name, reason in zip(probes, failures, strict=True) if reason]
    if failed:
        raise DependencyUnavailable(f"Not available: {', '.join(item.field for item in failed)}.", *failed)
    return Readiness(status="ready", checked=list(probes))


@router.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(401, 403, 500, 503),
    },
)
async def read_metrics(session: Session, metrics: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Outcomes of the last hour by code, check states, lateness, queue depths, replicas, requests."""
    return Response(await metrics.scrape(session), media_type=CONTENT_TYPE_LATEST)


async def _failure(probe: Awaitable[None]) -> str:
    """Why it is not available; empty when it is. Only the kind of error, since its text may hold an address."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await probe
    except TimeoutError:
        return f"did not answer within {TIMEOUT_SECONDS} s"
    except (OSError, ValueError, SQLAlchemyError, RedisError) as error:
        return f"does not answer ({type(error).__name__})"
    return ""


async def _reach_database(provided: Resources) -> None:
    async with provided.engine.connect() as connection:
        await connection.execute(text("SELECT version_num FROM alembic_version"))


async def _reach_broker(url: str) -> None:
    """A connection to its port: the rest of its protocol is the queue's business."""
    parts = urlsplit(url)
    default_port = 5671 if parts.scheme == "amqps" else 5672
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or default_port)
    writer.close()


async def _reach_redis(url: str) -> None:
    client = Redis.from_url(url)
    try:
        await client.ping()
    finally:
        await client.aclose()
