"""Starts what is missing, in parallel, and stops it in order."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.embedded.driver import Driver, find_or_install
from services.embedded.postgres import Postgres
from services.embedded.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Parts:
    """Where everything is that Parakeet works with, whether embedded or given."""

    database_url: str
    redis_url: str
    webdriver_url: str


class DataFolderInUse(RuntimeError):
    """Another Parakeet works on this data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"Another Parakeet is running on the data folder {data_dir}; stop it, or set PARAKEET_DATA_DIR."
        )


@asynccontextmanager
async def embedded_parts(
    data_dir: Path,
    *,
    database_url: str | None = None,
    redis_url: str | None = None,
    webdriver_url: str | None = None,
) -> AsyncIterator[Parts]:
    """The parts that are not given by an address are started on loopback ports, and stopped at the end.

    Stopped in this order: the driver, because it is the one with work in hand; then Valkey; then the ledger.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with _only_one_at(data_dir):
        async with AsyncExitStack() as running:
            postgres, valkey = Postgres(data_dir / "postgres"), Valkey(data_dir / "valkey")
            running.push_async_callback(postgres.stop)
            running.push_async_callback(valkey.stop)

            async def start_driver() -> str:
                driver = Driver(data_dir / "driver", await find_or_install())
                running.push_async_callback(driver.stop)
                await driver.start()
                return driver.url

            async def start_postgres() -> str:
                await postgres.start()
                return postgres.url()

            async def start_valkey() -> str:
                await valkey.start()
                return valkey.url

            try:
                async with asyncio.TaskGroup() as starting:
                    database = starting.create_task(_given(database_url) or start_postgres())
                    cache = starting.create_task(_given(redis_url) or start_valkey())
                    webdriver = starting.create_task(_given(webdriver_url) or start_driver())
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None  # one clear reason instead of a tree of them
            yield Parts(database.result(), cache.result(), webdriver.result())


def _given(url: str | None) -> Coroutine[None, None, str] | None:
    async def as_it_is(url: str) -> str:
        return url

    return as_it_is(url) if url else None


@contextmanager
def _only_one_at(data_dir: Path) -> Iterator[None]:
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFolderInUse(data_dir) from None
        yield
