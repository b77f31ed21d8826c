"""What Prometheus reads: requests, counted here; everything else from the ledger at the moment of the scrape."""

import time
from collections.abc import Iterator, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.dead_letters.queries import UNDELIVERED
from services.api.infrastructure.queries import read_alive, read_overdue, read_queues
from services.api.infrastructure.troubles import read_accounts, read_nodes
from services.api.status.job_queries import read_job_totals
from shared.domain.outcome import CATALOGUE
from shared.domain.state import State
from shared.ledger import ENDED_NOT_RUN
from shared.models import DeadLetter, Job

API_PREFIX = "/api/v1"
_OUTCOMES = text("""
    SELECT outcome_code, count(*) AS results FROM job_results
    WHERE recorded_at > now() - interval '1 hour' GROUP BY 1
""")
_STATES = text('SELECT partner, browser, "check", state FROM check_states ORDER BY 1, 2, 3')
_DEAD_LETTERS = select(func.count()).select_from(DeadLetter).join(Job, Job.id == DeadLetter.job_id).where(UNDELIVERED)


class Metrics:
    """The counters of one application; a registry of its own, so that tests and embedded parts do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "parakeet_api_requests",
            "Requests that were answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "parakeet_api_request_seconds", "How long answering took", ["method", "route"], registry=self.registry
        )

    async def scrape(self, session: AsyncSession) -> bytes:
        ledger = CollectorRegistry()
        ledger.register(_Collected(await _read_ledger(session)))
        return generate_latest(self.registry) + generate_latest(ledger)


class CountRequests:
    """Counts by the route's template, never by the path, which anybody can make up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            method, route = _method(scope), _route(scope)
            metrics: Metrics = scope["app"].state.metrics
            metrics.requests.labels(method, route, str(status)).inc()
            metrics.seconds.labels(method, route).observe(time.monotonic() - started)


class _Collected:
    """Metrics that were read before, in the form the client library asks for."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _method(scope: MutableMapping[str, Any]) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _route(scope: MutableMapping[str, Any]) -> str:
    template = str(getattr(scope.get("route"), "path", "unknown"))
    # A route knows its template without the prefix of the router that took it in; pages have paths of the same look.
    within_api = scope["path"].startswith(f"{API_PREFIX}/") and template.startswith("/")
    return API_PREFIX + template if within_api and not template.startswith(API_PREFIX) else template


async def _read_ledger(session: AsyncSession) -> list[Metric]:
    outcomes = GaugeMetricFamily(
        "parakeet_job_results_last_hour", "Results recorded in the last hour, by outcome", labels=["code", "class"]
    )
    counts: dict[str, int] = {row.outcome_code: row.results for row in await session.execute(_OUTCOMES)}
    for code, entry in CATALOGUE.items():
        outcomes.add_metric([code, entry.outcome_class], counts.get(code, 0))
    states = GaugeMetricFamily(
        "parakeet_check_state", "1 for the state that a check is in", labels=["partner", "browser", "check", "state"]
    )
    for row in await session.execute(_STATES):
        states.add_metric([*row], 1)
    return [outcomes, states, *await _read_jobs(session), *await _read_ourselves(session)]


async def _read_jobs(session: AsyncSession) -> list[Metric]:
    totals = await read_job_totals(session)
    jobs = GaugeMetricFamily("parakeet_job_state", "Jobs that are in a state", labels=["state"])
    for state in State:
        jobs.add_metric([state], getattr(totals, state))
    undelivered = (await session.execute(_DEAD_LETTERS)).scalar_one()
    letters = GaugeMetricFamily(
        "parakeet_dead_letters", "Dead letters never replayed, or replayed without success", value=undelivered
    )
    return [jobs, letters]


async def _read_ourselves(session: AsyncSession) -> list[Metric]:
    alive = await read_alive(session)
    replicas = GaugeMetricFamily("parakeet_replicas_alive", "Processes that renewed within 3 s", labels=["kind"])
    lateness = GaugeMetricFamily(
        "parakeet_scheduler_lateness_p99_seconds", "Due to confirmed by the queue", labels=["replica"]
    )
    for kind in ("scheduler", "runner"):
        replicas.add_metric([kind], sum(replica.kind == kind for replica in alive))
    for replica in alive:
        if replica.kind == "scheduler" and replica.report.get("lateness_p99_ms") is not None:
            lateness.add_metric([str(replica.id)], float(replica.report["lateness_p99_ms"]) / 1000)
    not_run = CounterMetricFamily(
        "parakeet_moments_not_run",
        "Due moments that were not run, as counted by each process",
        labels=["code", "replica"],
    )
    for replica in alive:
        for code, count in (replica.report.get("not_run") or {}).items():
            not_run.add_metric([code, str(replica.id)], float(count))
    not_run.add_metric(["cancelled", "api"], ENDED_NOT_RUN["cancelled"])
    overdue = await read_overdue(session)
    count = GaugeMetricFamily("parakeet_scheduled_jobs_overdue", "Due and not dispatched", value=overdue.count)
    oldest = GaugeMetricFamily(
        "parakeet_scheduled_jobs_oldest_overdue_seconds", "How late the oldest is", value=overdue.oldest_seconds
    )
    depths = GaugeMetricFamily("parakeet_queue_depth", "Dispatched, not claimed", labels=["lane", "priority"])
    for queue in await read_queues(session):
        depths.add_metric([queue.lane, queue.priority], queue.depth)
    return [replicas, lateness, not_run, count, oldest, depths, *await _read_troubles(session)]


async def _read_troubles(session: AsyncSession) -> list[Metric]:
    nodes, accounts = await read_nodes(session), await read_accounts(session)
    avoided = sum(node.avoided_until is not None for node in nodes)
    return [
        GaugeMetricFamily("parakeet_grid_nodes_avoided", "Nodes avoided for failing again and again", value=avoided),
        GaugeMetricFamily("parakeet_accounts_in_use", "Accounts that a check is logged in at", value=accounts.in_use),
        GaugeMetricFamily(
            "parakeet_accounts_stopped", "Accounts whose log-ins were refused too often", value=len(accounts.stopped)
        ),
    ]
