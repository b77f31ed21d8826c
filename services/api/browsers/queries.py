from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.browsers.schemas import BrowserPage, BrowserView
from services.api.errors import NotFound
from services.api.pagination import PageQuery, slug_cursor, write_cursor
from shared.models import Browser


async def find_browser(session: AsyncSession, name: str) -> Browser:
    """Raises `NotFound`."""
    browser = await session.get(Browser, name)
    if browser is None:
        raise NotFound(f"There is no browser {name!r}.")
    return browser


async def list_browsers(session: AsyncSession, asked: PageQuery) -> BrowserPage:
    query = select(Browser).order_by(Browser.name).limit(asked.limit + 1)
    after = slug_cursor(asked.cursor)
    if after is not None:
        query = query.where(Browser.name > after)
    found = list(await session.scalars(query))
    items = [BrowserView.model_validate(browser) for browser in found[: asked.limit]]
    return BrowserPage(items=items, next_cursor=write_cursor(items[-1].name) if len(found) > asked.limit else None)
