"""The matrix that a diagnosis is read from, in one query, whatever the number of partners."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.domain.diagnosis import Cell, Diagnosis, Key, diagnose
from shared.domain.outcome import OutcomeClass
from shared.domain.state import State

# The newest result that ran within a week, of each check in each browser, with the node of its last attempt. A result
# without checks of its own counts for every check that it was to do, as in the status.
_RESULTS = """
    FROM job_results results
    LEFT JOIN LATERAL (
        SELECT entry FROM jsonb_array_elements(results.checks) AS entry
        WHERE entry->>'check' = pairings."check" LIMIT 1
    ) own ON true
    WHERE results.partner = pairings.partner AND results.browser = pairings.browser
      AND results.due_at > now() - interval '7 days' AND results.outcome_class <> 'not_run'
      AND (own.entry IS NOT NULL OR (results.checks = '[]'::jsonb
           AND results.job_configuration_id = ANY(pairings.configurations)))
"""
# Since when trouble of ours lasts is told by so many results at most: with a dead Grid every pairing asks.
_MOST_ALIKE = 50
_MATRIX = text(f"""
    WITH pairings AS (
        SELECT jc.partner, s.browser, wanted.name AS "check", array_agg(DISTINCT jc.id) AS configurations,
               bool_or(s.next_due < 'infinity') AS active
        FROM job_configurations jc
        JOIN schedules s ON s.job_configuration_id = jc.id
        CROSS JOIN LATERAL unnest(jc.checks) AS wanted(name)
        GROUP BY 1, 2, 3
    )
    SELECT pairings.partner, partners.name AS partner_name, pairings.browser, pairings."check", pairings.active,
           coalesce(states.state, 'unknown') AS state, states.since, newest.*, alike.trouble_since,
           now() AS now
    FROM pairings
    JOIN partners ON partners.code = pairings.partner
    LEFT JOIN check_states states
           ON (states.partner, states.browser, states."check") = (pairings.partner, pairings.browser, pairings."check")
    LEFT JOIN LATERAL (
        SELECT results.id AS result_id, results.executed_at AS at,
               coalesce(own.entry->>'code', results.outcome_code) AS code,
               coalesce(own.entry->>'class', results.outcome_class) AS outcome_class,
               (SELECT node FROM attempts WHERE scheduled_job_id = results.id AND attempts.due_at = results.due_at
                ORDER BY number DESC LIMIT 1) AS node
        {_RESULTS}
        ORDER BY results.due_at DESC, results.id DESC LIMIT 1
    ) newest ON true
    LEFT JOIN LATERAL (
        SELECT min(at) AS trouble_since FROM (
            SELECT at, bool_and(code = newest.code) OVER (ORDER BY due_at DESC, id DESC) AS alike FROM (
                SELECT results.executed_at AS at, results.due_at, results.id,
                       coalesce(own.entry->>'code', results.outcome_code) AS code
                {_RESULTS}
                  AND newest.outcome_class = 'infrastructure_failure'
                ORDER BY results.due_at DESC, results.id DESC LIMIT {_MOST_ALIKE}
            ) latest
        ) compared WHERE alike
    ) alike ON true
""")


async def read_diagnoses(session: AsyncSession) -> dict[Key, Diagnosis]:
    """By partner, browser and check: of those that fail, or whose newest result is trouble of ours."""
    diagnoses, _ = await _read(session)
    return diagnoses


async def read_diagnoses_of_result(session: AsyncSession, result: UUID) -> list[Diagnosis]:
    """Of the checks whose newest result this is; none when there is a newer one."""
    diagnoses, results = await _read(session)
    found = [diagnosis for key, diagnosis in diagnoses.items() if results[key] == result]
    return list(dict.fromkeys(found))


async def _read(session: AsyncSession) -> tuple[dict[Key, Diagnosis], dict[Key, UUID | None]]:
    rows = (await session.execute(_MATRIX)).all()
    if not rows:
        return {}, {}
    cells = [
        Cell(
            partner=row.partner,
            partner_name=row.partner_name,
            browser=row.browser,
            check=row.check,
            state=State(row.state),
            since=row.since,
            code=row.code,
            outcome_class=OutcomeClass(row.outcome_class) if row.outcome_class else None,
            at=row.at,
            node=row.node,
            active=row.active,
            trouble_since=row.trouble_since,
        )
        for row in rows
    ]
    results = {cell.key: row.result_id for cell, row in zip(cells, rows, strict=True)}
    return diagnose(cells, rows[0].now), results
