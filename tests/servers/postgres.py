"""PostgreSQL for tests: databases are cloned from a template that the real migrations built."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config

from services.embedded.postgres import Postgres
from tests.servers.process import ROOT

TEMPLATE = "migrated"
_MIGRATIONS_SETTING = "PARAKEET_DATABASE_URL"
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
# Every table, its columns, its indexes and theirs.
_SCHEMA = """
    SELECT relname, attname, atttypid, attnotnull FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace ORDER BY relname, attnum
"""
# Without the triggers of foreign keys, so in any order.
_EMPTY_TABLES = """
    DO $$
    DECLARE
        name text;
        filled boolean;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOR name IN SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO filled;
            IF filled THEN
                EXECUTE format('DELETE FROM %I', name);
            END IF;
        END LOOP;
    END $$
"""


def migrate(database_url: str) -> None:
    """`alembic upgrade head` in this process. Not to be called from a running event loop."""
    with alembic(database_url) as config:
        command.upgrade(config, "head")


@contextmanager
def alembic(database_url: str) -> Iterator[Config]:
    """Alembic's commands find the database in the environment, as they do outside of tests."""
    former = os.environ.get(_MIGRATIONS_SETTING)
    os.environ[_MIGRATIONS_SETTING] = database_url
    try:
        yield Config(str(ROOT / "alembic.ini"))
    finally:
        if former is None:
            del os.environ[_MIGRATIONS_SETTING]
        else:
            os.environ[_MIGRATIONS_SETTING] = former


class PostgresServer(Postgres):
    """The wheel's PostgreSQL 18, or another through `binaries`. The port survives `kill` and `restart`."""

    def __init__(self, folder: Path, *, binaries: Path | None = None) -> None:
        super().__init__(
            folder,
            binaries=binaries,
            options={
                "max_connections": "300",
                # Commits survive a killed server without these; only a power cut would show the difference.
                "fsync": "off",
                "full_page_writes": "off",
            },
        )

        self._spare: list[str] = []
        self._schema: list[asyncpg.Record] = []

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def create_database(self, *, empty: bool = False) -> str:
        """The URL of a new database with every migration applied, or with nothing in it."""
        name = f"test_{uuid.uuid4().hex}"
        if not empty and not await self._exists(TEMPLATE):
            await self._build_template()
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE {"template0" if empty else TEMPLATE} STRATEGY WAL_LOG')
        return self.url(name)

    async def drop_database(self, url: str) -> None:
        """Also with connections open: those are ended."""
        await self.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    async def lend_database(self) -> str:
        """The URL of a database with every migration applied; one that was taken back, as a new one takes 0.2 s."""
        return self._spare.pop() if self._spare else await self.create_database()

    async def take_back(self, url: str) -> None:
        """Emptied, or dropped when somebody is still connected or its tables are not those of the migrations."""
        if await self._emptied(url):
            self._spare.append(url)
        else:
            await self.drop_database(url)

    async def execute(self, statement: str) -> None:
        async with self._connected(self.url()) as connection:
            await connection.execute(statement)

    async def _emptied(self, url: str) -> bool:
        if not self._schema:
            async with self._connected(self.url(TEMPLATE)) as template:
                self._schema = await template.fetch(_SCHEMA)
        async with self._connected(url) as connection:
            if await connection.fetchval(_OTHERS) or await connection.fetch(_SCHEMA) != self._schema:
                return False
            await connection.execute(_EMPTY_TABLES)
            return True

    async def _exists(self, database: str) -> bool:
        async with self._connected(self.url()) as connection:
            return bool(await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database))

    @asynccontextmanager
    async def _connected(self, url: str) -> "AsyncIterator[asyncpg.Connection]":
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()

    async def _build_template(self) -> None:
        """Under another name until it is complete, so that a failed migration leaves no half-made template."""
        await self.execute("DROP DATABASE IF EXISTS migrating WITH (FORCE)")
        await self.execute("CREATE DATABASE migrating TEMPLATE template0")
        await asyncio.to_thread(migrate, self.url("migrating"))
        await self.execute(f"ALTER DATABASE migrating RENAME TO {TEMPLATE}")
