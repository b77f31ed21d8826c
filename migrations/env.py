"""Runs the migrations on the database of PARAKEET_DATABASE_URL, one process at a time."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

from shared.database import connect
from shared.models import Base
from shared.settings import Settings

# Any number will do, as long as every migrating process uses the same one.
MIGRATION_LOCK = 7_269_001


def is_ours(item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: SchemaItem | None) -> bool:
    """Partitions are made by the scheduler, so they are no drift; nor are their copies of the parent's indexes."""
    return not (kind == "table" and name is not None and name.startswith(("job_results_", "attempts_")))


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, include_object=is_ours, compare_server_default=False
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()


async def run() -> None:
    settings = Settings(database_url=os.environ["PARAKEET_DATABASE_URL"])
    engine = connect(settings.database_url, application_name="parakeet migrations")
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(run())
