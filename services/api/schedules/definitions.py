"""What is due on a schedule, job configurations and jobs alike, and which lines of due moments each of them wants."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest
from shared.models import Browser, Job, JobConfiguration, Partner, Schedule

Definition: TypeAlias = JobConfiguration | Job
"""Both hold the timing, the limits and the pause in columns of the same names."""
CALLBACK_LANE = "http"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of due moments; those of one definition differ in their browser. It is due while it `runs`."""

    kind: str
    lane: str
    runs: bool
    partner: str | None = None
    browser: str | None = None


async def lock_configurations(session: AsyncSession, condition: ColumnElement[bool]) -> list[JobConfiguration]:
    query = select(JobConfiguration).where(condition).order_by(JobConfiguration.id)
    return list(await session.scalars(query.with_for_update().execution_options(populate_existing=True)))


async def lock_jobs(session: AsyncSession, condition: ColumnElement[bool]) -> list[Job]:
    query = select(Job).where(condition).order_by(Job.id)
    return list(await session.scalars(query.with_for_update().execution_options(populate_existing=True)))


def of_definitions(definitions: Sequence[Definition]) -> ColumnElement[bool]:
    """The condition for the rows in `schedules` that are theirs."""
    configurations = [definition.id for definition in definitions if isinstance(definition, JobConfiguration)]
    jobs = [definition.id for definition in definitions if isinstance(definition, Job)]
    # An empty list is left out: it would keep the index of the other from being used.
    conditions: list[ColumnElement[bool]] = []
    if configurations:
        conditions.append(Schedule.job_configuration_id.in_(configurations))
    if jobs:
        conditions.append(Schedule.job_id.in_(jobs))
    return or_(false(), *conditions)


async def read_schedules(
    session: AsyncSession, definition: Definition, browsers: Sequence[str] | None = None
) -> list[Schedule]:
    """Its lines, by browser; with `browsers` only those. Raises `InvalidRequest` naming one it does not run in."""
    query = select(Schedule).where(of_definitions([definition]))
    if browsers is not None and isinstance(definition, JobConfiguration):
        _require_among(browsers, definition.browsers)
        query = query.where(Schedule.browser.in_(browsers))
    return list(await session.scalars(query.order_by(Schedule.browser)))


async def wanted_lines(session: AsyncSession, definitions: Sequence[Definition]) -> dict[UUID, list[Line]]:
    """By the definitions' ids. What partners and browsers say is read here, once for all."""
    configurations = [definition for definition in definitions if isinstance(definition, JobConfiguration)]
    partners: frozenset[str] = frozenset()
    browsers: frozenset[str] = frozenset()
    if configurations:
        codes = {configuration.partner for configuration in configurations}
        active = select(Partner.code).where(Partner.code.in_(codes), Partner.active)
        partners = frozenset(await session.scalars(active))
        browsers = frozenset(await session.scalars(select(Browser.name).where(Browser.enabled)))
    return {definition.id: _lines(definition, partners, browsers) for definition in definitions}


def check_lane(browser: str) -> str:
    """The lane of all checks in this browser: what the Grid has lost holds up no other."""
    return f"browser.{browser}"


def _lines(definition: Definition, partners: frozenset[str], browsers: frozenset[str]) -> list[Line]:
    runs = definition.enabled and definition.paused_at is None
    if isinstance(definition, Job):
        return [Line("callback", CALLBACK_LANE, runs)]
    partner = definition.partner
    runs = runs and partner in partners
    return [Line("check", check_lane(name), runs and name in browsers, partner, name) for name in definition.browsers]


def _require_among(asked: Sequence[str], configured: Sequence[str]) -> None:
    foreign = [
        FieldProblem(field=f"browsers.{position}", message="the job configuration does not run in this browser")
        for position, name in enumerate(asked)
        if name not in configured
    ]
    if foreign:
        raise InvalidRequest(*foreign)
