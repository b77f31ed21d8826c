from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.browsers.schemas import BrowserSent
from services.api.errors import AlreadyExists, FieldProblem, InUse, InvalidRequest, NotFound
from services.api.merge_patch import validate_merged
from services.api.schedules.definitions import lock_configurations
from services.api.schedules.schedule_rows import apply_definitions
from shared.models import Browser, JobConfiguration


async def create_browser(session: AsyncSession, sent: BrowserSent) -> Browser:
    """Raises `AlreadyExists`."""
    row = insert(Browser).values(**sent.model_dump()).on_conflict_do_nothing().returning(Browser)
    browser = await session.scalar(row)
    if browser is None:
        raise AlreadyExists("name", sent.name)
    return browser


async def edit_browser(session: AsyncSession, name: str, patch: dict[str, Any]) -> Browser:
    """Merge, validate the whole, write. Raises `NotFound`, `InvalidRequest`."""
    browser = await _lock_browser(session, name)
    was_enabled = browser.enabled
    before = {field: getattr(browser, field) for field in BrowserSent.model_fields}
    sent = validate_merged(BrowserSent, before, patch)
    if sent.name != name:
        raise InvalidRequest(FieldProblem(field="name", message="never changes"))
    for field, value in sent.model_dump().items():
        setattr(browser, field, value)
    browser.updated_at = func.now()
    await session.flush()
    if browser.enabled != was_enabled:
        users = await lock_configurations(session, JobConfiguration.browsers.contains([name]))
        await apply_definitions(session, users, "The browser is not enabled.")
    await session.refresh(browser)
    return browser


async def delete_browser(session: AsyncSession, name: str) -> None:
    """Raises `NotFound`, and `InUse` while a job configuration names it."""
    browser = await _lock_browser(session, name)
    in_use = select(func.count()).where(JobConfiguration.browsers.contains([name]))
    count = await session.scalar(in_use)
    if count:
        raise InUse(f"{count} job configuration(s) run in the browser {name!r}; take it out of them first.")
    await session.delete(browser)
    await session.flush()


async def _lock_browser(session: AsyncSession, name: str) -> Browser:
    browser = await session.scalar(select(Browser).where(Browser.name == name).with_for_update())
    if browser is None:
        raise NotFound(f"There is no browser {name!r}.")
    return browser
