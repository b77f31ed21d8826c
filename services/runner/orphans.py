"""Browser sessions whose runner was lost: the sweeper notes them, whoever runs ends them."""

import asyncio

import aiohttp
import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.browser.connection import split_userinfo
from services.runner.browser.devtools.socket import DevTools

log = structlog.get_logger(__name__)

DELETE_TIMEOUT_SECONDS = 3
CLOSE_TIMEOUT_SECONDS = 3

# One that can't be ended is tried again; a Grid ends by itself what is idle, long before an hour.
_TAKE = text("""
    SELECT session_id, webdriver_url, devtools, noted_at < now() - interval '1 hour' AS hopeless FROM orphan_sessions
    ORDER BY noted_at LIMIT 10
""")
# What another deletes at this moment is gone as well.
_ENDED = text("""
    DELETE FROM orphan_sessions WHERE session_id IN (
        SELECT session_id FROM orphan_sessions WHERE session_id = ANY(CAST(:ids AS text[])) FOR UPDATE SKIP LOCKED)
""")


async def close_orphans(engine: AsyncEngine, webdriver_url: str) -> None:
    """Ends each noted session. `webdriver_url` is ours, for its user name and password: the noted ones have none.

    No transaction waits for a driver. So two runners may end the same session, which is as good as once.
    """
    ours, authorization = split_userinfo(webdriver_url)
    async with engine.begin() as connection:
        orphans = (await connection.execute(_TAKE)).all()
    if not orphans:
        return
    async with aiohttp.ClientSession(trust_env=False) as http:
        gone = await asyncio.gather(
            *(_end(http, orphan, authorization if orphan.webdriver_url == ours else {}) for orphan in orphans)
        )
    ids = [orphan.session_id for orphan, ended in zip(orphans, gone, strict=True) if ended or orphan.hopeless]
    async with engine.begin() as connection:
        await connection.execute(_ENDED, {"ids": ids})
    log.info("orphan_sessions_ended", noted=len(orphans), ended=sum(gone))


async def _end(
    http: aiohttp.ClientSession, orphan: Row[tuple[str, str, str | None, bool]], headers: dict[str, str]
) -> bool:
    """True when it is gone. A driver queues the deletion behind a page that hangs, until the browser is closed."""
    url = f"{orphan.webdriver_url.rstrip('/')}/session/{orphan.session_id}"
    if await _delete(http, url, headers):
        return True
    if orphan.devtools is not None:
        await _close_browser(http, orphan.devtools, headers)
    return await _delete(http, url, headers)


async def _delete(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> bool:
    timeout = aiohttp.ClientTimeout(total=DELETE_TIMEOUT_SECONDS)
    try:
        async with http.delete(url, headers=headers, timeout=timeout) as answer:
            return answer.status in (200, 404)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("orphan_session_not_deleted", error=type(error).__name__)
        return False


async def _close_browser(http: aiohttp.ClientSession, address: str, headers: dict[str, str]) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            devtools = DevTools(await http.ws_connect(address, headers=headers))
    except (aiohttp.ClientError, TimeoutError, OSError):
        return  # it is closed already, or nobody can
    await devtools.close_browser(CLOSE_TIMEOUT_SECONDS)
    await devtools.close()
