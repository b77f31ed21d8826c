"""What the Grid can give this runner now, looked at every second, so that it takes no message it has no slot for.

Several runners share a Grid by their rows in `replicas`: all see the same slots, and come to the same shares. Where
the Grid can give nothing, one check at a time still goes there, slowly: its outcome says what is wrong, or that all is
well.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.browser.attempt import AttemptReport, CheckReport
from services.runner.browser.grid.nodes import NODE_FAULTS, NodeRules, Nodes, note_failure, note_success, read_nodes
from services.runner.browser.grid.status import GridStatus, matches, read_queue, read_status
from shared.domain.grid_share import shares

log = structlog.get_logger(__name__)

# One look that gets no answer may be a busy moment.
MISSES_TO_BE_AWAY = 2

_RUNNERS = text("""
    SELECT id, report->'lanes' AS lanes FROM replicas
    WHERE kind = 'runner' AND renewed_at > clock_timestamp() - interval '3 seconds' AND id <> :me
""")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many checks at once; `trouble` says why there is only the one that probes."""

    slots: int
    trouble: str | None = None


class GridWatch:
    """`limit` is how many checks this runner does at once in each browser, whatever the Grid offers."""

    def __init__(self, engine: AsyncEngine, runner: UUID, webdriver_url: str, limit: int, rules: NodeRules) -> None:
        self.lanes: dict[str, Allowance] = {}
        self.sessions = limit
        self.nodes = Nodes()
        self._engine = engine
        self._runner = runner
        self._url = webdriver_url
        self._limit = limit
        self._rules = rules
        self._status: GridStatus | None = None
        self._misses = MISSES_TO_BE_AWAY - 1
        self._exhausted = False
        self._not_created: Counter[str] = Counter()

    async def look(self, browsers: Mapping[str, Mapping[str, Any]]) -> None:
        """Sets `lanes` (by browser), `sessions` (of all browsers together) and `nodes`; `browsers`: capabilities."""
        async with aiohttp.ClientSession(trust_env=False) as http:
            status = await read_status(http, self._url)
            queued = await read_queue(http, self._url) if status is not None and status.is_grid else []
        self._misses = 0 if status is not None else self._misses + 1
        if status is not None or self._misses >= MISSES_TO_BE_AWAY:
            self._status = status
        async with self._engine.connect() as connection:
            self.nodes = await read_nodes(connection)
            others = (await connection.execute(_RUNNERS, {"me": self._runner})).all()
        limits = {row.id: {lane: _limit_of(told) for lane, told in (row.lanes or {}).items()} for row in others}
        before, self.lanes = self.lanes, {}
        for name, capabilities in browsers.items():
            waiting = sum(matches(capabilities, request) for request in queued)
            self.lanes[name] = self._allowance(name, capabilities, waiting, limits)
        self.sessions = self._all_sessions(len(queued), limits)
        for name, now in self.lanes.items():
            if now.trouble != before.get(name, now).trouble:
                log.warning("grid_allowance", browser=name, slots=now.slots, trouble=now.trouble)

    async def learn(self, browser: str, report: AttemptReport) -> None:
        """What an attempt says of the Grid and of the nodes that it ran on."""
        codes = [check.outcome.code for check in report.checks]
        created = [check.session for check in report.checks if check.session is not None]
        if "native_thread_exhausted" in codes:
            self._exhausted = True
        elif created:
            self._exhausted = False
        if created:
            self._not_created.pop(browser, None)
        # The session that was not created is the last that was asked for.
        if any(check.session is None and check.outcome.code == "session_not_created" for check in report.checks):
            self._not_created[browser] += 1
        for node in sorted({session.node for session in created if session.node is not None}):
            await self._learn_of(node, [each.outcome.code for each in report.checks if _ran_on(each, node)])

    async def _learn_of(self, node: str, codes: Sequence[str]) -> None:
        fault = next((code for code in codes if code in NODE_FAULTS), None)
        try:
            if fault is not None:
                await note_failure(self._engine, node, fault, self._rules)
            elif node in self.nodes.troubled:
                await note_success(self._engine, node)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            # The attempt itself counts more than what it says of a node.
            log.warning("node_not_noted", node=node, error=type(error).__name__)

    def report(self) -> dict[str, Any]:
        """What the other processes are told, in the runner's row."""
        trouble = {name: lane.trouble for name, lane in self.lanes.items() if lane.trouble}
        return {"sessions": self.sessions, "trouble": trouble}

    def _allowance(
        self, name: str, capabilities: Mapping[str, Any], waiting: int, limits: Mapping[UUID, Mapping[str, int]]
    ) -> Allowance:
        status = self._status
        if status is None:
            return Allowance(1, "The Grid does not answer.")
        if self._exhausted:
            return Allowance(1, "The Grid can start no more threads and must be restarted.")
        if self._not_created[name] >= self._rules.failures:
            return Allowance(1, f"{self._not_created[name]} sessions in a row were not created.")
        if not status.is_grid:
            return Allowance(self._limit)
        usable = status.slots_for(capabilities, self.nodes.avoided) - waiting
        if usable > 0:
            return Allowance(self._share(usable, f"browser.{name}", limits))
        if not status.offers(capabilities):
            return Allowance(1, "No node offers this browser.")
        if status.slots_for(capabilities) - waiting > 0:
            return Allowance(1, "Every node that offers this browser is avoided.")
        return Allowance(1, "Its nodes are down, or others hold all of its slots.")

    def _share(self, usable: int, lane: str, limits: Mapping[UUID, Mapping[str, int]]) -> int:
        asked = {self._runner: self._limit, **{runner: told[lane] for runner, told in limits.items() if lane in told}}
        order = sorted(asked)
        return shares(usable, [asked[runner] for runner in order])[order.index(self._runner)]

    def _all_sessions(self, waiting: int, limits: Mapping[UUID, Mapping[str, int]]) -> int:
        """Of all browsers together: a node may offer more kinds of slots than it can hold sessions at once."""
        most = self._limit * max(len(self.lanes), 1)
        if self._status is None or not self._status.is_grid:
            return most
        usable = self._status.slots_for(None, self.nodes.avoided) - waiting
        asked = {self._runner: most, **{runner: _browser_slots(told) for runner, told in limits.items()}}
        order = sorted(asked)
        return max(shares(usable, [asked[runner] for runner in order])[order.index(self._runner)], 1)


def _ran_on(check: CheckReport, node: str) -> bool:
    return check.session is not None and check.session.node == node


def _limit_of(told: Mapping[str, Any]) -> int:
    return int(told.get("limit") or 0)


def _browser_slots(limits: Mapping[str, int]) -> int:
    return sum(limit for lane, limit in limits.items() if lane.startswith("browser."))
