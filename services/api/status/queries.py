"""The state of everything in a handful of set-based queries, whatever the number of partners."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.fields import outcome_view
from services.api.infrastructure.queries import read_alive, read_last_hour, read_overdue
from services.api.status.diagnoses import read_diagnoses
from services.api.status.job_queries import read_jobs
from services.api.status.schemas import (
    CheckStatus,
    DiagnosisView,
    InfrastructureSummary,
    LastResult,
    PartnerStatus,
    RecentResult,
    StatusTotals,
    StatusView,
)
from shared.domain.outcome import OutcomeClass
from shared.domain.state import State

OVERDUE_IS_FAILING_SECONDS = 30
_WORST_FIRST = (State.FAILING, State.DEGRADED, State.UNKNOWN, State.WORKING)

_PARTNERS = text("""
    SELECT code, name, active, inactive_reason, tags FROM partners
    WHERE CAST(:partner AS text) IS NULL OR code = :partner ORDER BY code
""")

# A result without checks of its own (it never ran, or the browser never came up) counts for every check it was to do.
_CHECKS = text("""
    WITH pairings AS (
        SELECT jc.partner, s.browser, wanted.name AS "check",
               array_agg(jc.id ORDER BY jc.created_at, jc.id) AS job_configuration_ids,
               nullif(min(s.next_due), 'infinity') AS next_due,
               bool_and(jc.paused_at IS NOT NULL) AS paused,
               (array_agg(jc.paused_reason ORDER BY jc.paused_at DESC NULLS LAST))[1] AS paused_reason,
               (array_agg(jc.paused_until ORDER BY jc.paused_at DESC NULLS LAST))[1] AS paused_until
        FROM job_configurations jc
        JOIN schedules s ON s.job_configuration_id = jc.id
        CROSS JOIN LATERAL unnest(jc.checks) AS wanted(name)
        WHERE CAST(:partner AS text) IS NULL OR jc.partner = :partner
        GROUP BY 1, 2, 3
    )
    SELECT pairings.*, coalesce(browsers.icon, pairings.browser) AS icon,
           coalesce(states.state, 'unknown') AS state, states.since,
           coalesce(states.failures_in_a_row, 0) AS failures_in_a_row, last.recent
    FROM pairings
    LEFT JOIN browsers ON browsers.name = pairings.browser
    LEFT JOIN check_states states
           ON (states.partner, states.browser, states."check") = (pairings.partner, pairings.browser, pairings."check")
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(result ORDER BY due_at DESC, id DESC), '[]'::jsonb) AS recent
        FROM (
            SELECT results.due_at, results.id, jsonb_build_object(
                       'id', results.id, 'due_at', results.due_at, 'executed_at', results.executed_at,
                       'duration_seconds', coalesce(own.entry->'duration_seconds', to_jsonb(results.duration_seconds)),
                       'code', coalesce(own.entry->>'code', results.outcome_code),
                       'class', coalesce(own.entry->>'class', results.outcome_class),
                       'message', coalesce(own.entry->>'message', results.message)) AS result
            FROM job_results results
            LEFT JOIN LATERAL (
                SELECT entry FROM jsonb_array_elements(results.checks) AS entry
                WHERE entry->>'check' = pairings."check" LIMIT 1
            ) own ON true
            WHERE results.partner = pairings.partner AND results.browser = pairings.browser
              AND (own.entry IS NOT NULL OR (results.checks = '[]'::jsonb
                   AND results.job_configuration_id = ANY(pairings.job_configuration_ids)))
            ORDER BY results.due_at DESC, results.id DESC LIMIT 30
        ) newest
    ) last
    ORDER BY pairings.partner, pairings.browser, pairings."check"
""")


async def read_status(session: AsyncSession) -> StatusView:
    """Every partner, check and browser with its state; totals; jobs; whether it may be us."""
    partners = await _read_partners(session, None)
    as_of = (await session.execute(text("SELECT now()"))).scalar_one()
    return StatusView(
        as_of=as_of,
        totals=_totals(partners),
        infrastructure=await _read_summary(session),
        partners=partners,
        jobs=await read_jobs(session),
    )


async def read_partner_status(session: AsyncSession, code: str) -> PartnerStatus | None:
    """The same for one partner; None when there is no such partner."""
    partners = await _read_partners(session, code)
    return partners[0] if partners else None


async def _read_partners(session: AsyncSession, code: str | None) -> list[PartnerStatus]:
    checks: dict[str, list[CheckStatus]] = defaultdict(list)
    for row in (await session.execute(_CHECKS, {"partner": code})).mappings():
        checks[row["partner"]].append(_check_status(row))
    await _diagnose(session, checks)
    rows = (await session.execute(_PARTNERS, {"partner": code})).mappings()
    return [
        PartnerStatus(**row, state=_worst(check.state for check in checks[row["code"]]), checks=checks[row["code"]])
        for row in rows
    ]


async def _diagnose(session: AsyncSession, checks: dict[str, list[CheckStatus]]) -> None:
    if not any(_troubled(check) for listed in checks.values() for check in listed):
        return
    diagnoses = await read_diagnoses(session)
    for partner, listed in checks.items():
        for check in listed:
            found = diagnoses.get((partner, check.browser, check.check))
            check.diagnosis = DiagnosisView.model_validate(found) if found else None


def _troubled(check: CheckStatus) -> bool:
    last = check.last_result
    ours = last is not None and last.outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE
    return ours or check.state is State.FAILING


def _check_status(row: RowMapping) -> CheckStatus:
    recent: list[dict[str, Any]] = row["recent"]
    ran = (result for result in recent if result["class"] != OutcomeClass.NOT_RUN)
    newest = next(ran, recent[0] if recent else None)
    return CheckStatus(
        **{name: value for name, value in row.items() if name not in ("partner", "recent")},
        last_result=_last_result(newest) if newest else None,
        recent=[RecentResult.model_validate(result) for result in recent],
    )


def _last_result(result: dict[str, Any]) -> LastResult:
    outcome = outcome_view(result["code"], result["message"], result["class"])
    return LastResult.model_validate({**result, "outcome": outcome})


def _worst(states: Iterable[State]) -> State:
    return min(states, key=_WORST_FIRST.index, default=State.UNKNOWN)


def _totals(partners: list[PartnerStatus]) -> StatusTotals:
    checks = [check for partner in partners for check in partner.checks]
    states = Counter(check.state for check in checks)
    return StatusTotals(
        partners=len(partners),
        checks=len(checks),
        paused=sum(check.paused for check in checks),
        **{state.value: states[state] for state in State},
    )


async def _read_summary(session: AsyncSession) -> InfrastructureSummary:
    alive = Counter(replica.kind for replica in await read_alive(session))
    overdue = await read_overdue(session)
    last_hour = await read_last_hour(session)
    late = overdue.oldest_seconds > OVERDUE_IS_FAILING_SECONDS
    return InfrastructureSummary(
        state="failing" if late or not alive["scheduler"] or not alive["runner"] else "working",
        schedulers_alive=alive["scheduler"],
        runners_alive=alive["runner"],
        overdue=overdue.count,
        failures_last_hour=last_hour.failures.total,
        not_run_last_hour=last_hour.not_run.total,
    )
