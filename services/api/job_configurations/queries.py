from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.job_configurations.schemas import ConfigurationPage, ConfigurationQuery, ConfigurationView
from services.api.pagination import moment_cursor, write_cursor
from services.api.schedules.queries import paused_view
from shared.models import JobConfiguration


async def find_configuration(
    session: AsyncSession, configuration_id: UUID, *, shared: bool = False
) -> JobConfiguration:
    """Shared, it is neither edited nor deleted until we commit. Raises `NotFound`."""
    lock = {"read": True} if shared else None
    configuration = await session.get(JobConfiguration, configuration_id, with_for_update=lock)
    if configuration is None:
        raise no_configuration(configuration_id)
    return configuration


def no_configuration(configuration_id: UUID) -> NotFound:
    return NotFound(f"There is no job configuration {configuration_id}.")


async def list_configurations(session: AsyncSession, asked: ConfigurationQuery) -> ConfigurationPage:
    key = tuple_(JobConfiguration.created_at, JobConfiguration.id)
    query = select(JobConfiguration).order_by(JobConfiguration.created_at, JobConfiguration.id).limit(asked.limit + 1)
    if asked.partner is not None:
        query = query.where(JobConfiguration.partner == asked.partner)
    if asked.browser is not None:
        query = query.where(JobConfiguration.browsers.contains([asked.browser]))
    after = moment_cursor(asked.cursor)
    if after is not None:
        query = query.where(key > after)
    found = list(await session.scalars(query))
    items = [configuration_view(configuration) for configuration in found[: asked.limit]]
    following = write_cursor((items[-1].created_at, items[-1].id)) if len(found) > asked.limit else None
    return ConfigurationPage(items=items, next_cursor=following)


def configuration_view(configuration: JobConfiguration) -> ConfigurationView:
    stored = {name: getattr(configuration, name) for name in ConfigurationView.model_fields if name != "paused"}
    return ConfigurationView.model_validate({**stored, "paused": paused_view(configuration)})
