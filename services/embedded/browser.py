"""The browser that the local driver starts, as a row: without one, nobody could make a job configuration."""

import json

import asyncpg

_ADD_FIRST = """
    INSERT INTO browsers (name, icon, capabilities)
    SELECT 'chromium', 'chromium', $1 WHERE NOT EXISTS (SELECT 1 FROM browsers)
"""


async def add_first_browser(database_url: str) -> None:
    """Add `chromium` where there is no browser yet; whatever is there stays as it is."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", "", 1), timeout=10, command_timeout=10)
    try:
        await connection.execute(_ADD_FIRST, json.dumps({"browserName": "chrome"}))
    finally:
        await connection.close(timeout=5)
