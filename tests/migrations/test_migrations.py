"""The migrations on the wheel's PostgreSQL, and on the older one of the system where it is installed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from services.scheduler.housekeeping import PARTITIONED, WEEKS_AHEAD, make_partitions_ahead
from shared.database import connect
from tests.servers.postgres import PostgresServer, alembic

OLDER = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []
OLDER = [folder for folder in OLDER if (folder / "postgres").exists()]


@pytest_asyncio.fixture(params=[None, *OLDER], ids=["wheel", *(folder.parent.name for folder in OLDER)])
async def empty_url(request: pytest.FixtureRequest, servers: Path) -> AsyncIterator[str]:
    version = request.param.parent.name if request.param else "wheel"
    server = PostgresServer(servers / f"migrations-{version}", binaries=request.param)
    await server.start()
    yield await server.create_database(empty=True)
    await server.stop()


async def test_up_from_empty_down_to_each_earlier_revision_and_up_again(empty_url: str) -> None:
    def there_and_back() -> None:
        with alembic(empty_url) as config:
            revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
            command.upgrade(config, "head")
            for revision in [*revisions[1:], "base"]:
                command.downgrade(config, revision)
                command.upgrade(config, "head")
            command.check(config)

    await asyncio.to_thread(there_and_back)


async def test_partitions_are_made_ahead_once_and_are_no_drift(empty_url: str) -> None:
    def upgrade_and(check: bool) -> None:
        with alembic(empty_url) as config:
            command.check(config) if check else command.upgrade(config, "head")

    await asyncio.to_thread(upgrade_and, check=False)
    engine = connect(empty_url, application_name="test")
    for _ in range(2):
        await make_partitions_ahead(engine)
    async with engine.connect() as connection:
        children = text("SELECT inhparent::regclass::text, count(*) FROM pg_inherits GROUP BY 1 ORDER BY 1")
        found = {parent: count for parent, count in (await connection.execute(children)).all() if parent in PARTITIONED}
    await engine.dispose()
    assert found == dict.fromkeys(PARTITIONED, WEEKS_AHEAD + 2)  # this week, those ahead, and the default one
    await asyncio.to_thread(upgrade_and, check=True)
