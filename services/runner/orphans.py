"""Browser sessions whose runner was lost: the sweeper notes them, whoever runs deletes them from the Grid."""

import aiohttp
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger(__name__)

DELETE_TIMEOUT_SECONDS = 10

_TAKE = text("""
    DELETE FROM orphan_sessions WHERE session_id IN (
        SELECT session_id FROM orphan_sessions ORDER BY noted_at LIMIT 10 FOR UPDATE SKIP LOCKED)
    RETURNING session_id, webdriver_url
""")


async def close_orphans(engine: AsyncEngine) -> None:
    """Deletes each noted session. One that the Grid does not know any more is closed already."""
    async with engine.begin() as connection:
        orphans = (await connection.execute(_TAKE)).all()
        if not orphans:
            return
        timeout = aiohttp.ClientTimeout(total=DELETE_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            for orphan in orphans:
                url = f"{orphan.webdriver_url.rstrip('/')}/session/{orphan.session_id}"
                try:
                    async with http.delete(url) as answer:
                        log.info("orphan_session_closed", status=answer.status)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    # A Grid that is gone took its sessions along; its own time limit ends what is left.
                    log.warning("orphan_session_not_closed", error=type(error).__name__)
