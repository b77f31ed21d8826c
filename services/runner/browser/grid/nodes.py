"""Which nodes of the Grid fail on our side again and again: known to all runners by their rows."""

from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = structlog.get_logger(__name__)

# What a node can be to blame for, once it has given us a session.
NODE_FAULTS = frozenset(
    {
        "browser_crashed",
        "node_lost",
        "session_expired",
        "out_of_resources",
        "native_thread_exhausted",
        "network_unreachable",
    }
)

_READ = text("SELECT node, coalesce(avoided_until > now(), false) AS avoided FROM grid_nodes")
_FAILED = text("""
    INSERT INTO grid_nodes AS known (node, failures_in_a_row, outcome_code, failed_at, avoided_until)
    VALUES (:node, 1, :code, now(), CASE WHEN :limit <= 1 THEN now() + make_interval(secs => :pause) END)
    ON CONFLICT (node) DO UPDATE SET
        failures_in_a_row = least(known.failures_in_a_row + 1, 30000), outcome_code = :code, failed_at = now(),
        avoided_until = CASE WHEN known.failures_in_a_row + 1 >= :limit THEN now() + make_interval(secs => :pause) END
    RETURNING failures_in_a_row, avoided_until
""")
_WELL = text("DELETE FROM grid_nodes WHERE node = :node RETURNING failures_in_a_row")


@dataclass(frozen=True, slots=True)
class NodeRules:
    """After `failures` in a row a node is avoided for `pause_seconds`; then each further failure does so again."""

    failures: int = 3
    pause_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Nodes:
    """Addresses of nodes whose newest attempt failed, and of those that are avoided now."""

    troubled: frozenset[str] = frozenset()
    avoided: frozenset[str] = frozenset()


async def read_nodes(connection: AsyncConnection) -> Nodes:
    rows = (await connection.execute(_READ)).all()
    return Nodes(frozenset(row.node for row in rows), frozenset(row.node for row in rows if row.avoided))


async def note_failure(engine: AsyncEngine, node: str, code: str, rules: NodeRules) -> None:
    values = {"node": node, "code": code, "limit": rules.failures, "pause": rules.pause_seconds}
    async with engine.begin() as connection:
        row = (await connection.execute(_FAILED, values)).one()
    if row.avoided_until is not None:
        log.warning("node_avoided", node=node, failures_in_a_row=row.failures_in_a_row, outcome=code)


async def note_success(engine: AsyncEngine, node: str) -> None:
    async with engine.begin() as connection:
        row = (await connection.execute(_WELL, {"node": node})).one_or_none()
    if row is not None:
        log.info("node_recovered", node=node, failures_in_a_row=row.failures_in_a_row)
