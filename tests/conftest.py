"""The real servers as fixtures: each starts when the first test asks for it, and stops with the session."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.embedded.driver import Driver, find_or_install
from shared.evidence_store import EvidenceStore
from shared.evidence_store.folder import FolderStore
from shared.evidence_store.s3 import S3Store
from tests.servers.grid import Grid, StandaloneGrid
from tests.servers.postgres import PostgresServer
from tests.servers.process import servers_folder
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.s3 import KEYS, S3Server
from tests.servers.valkey import ValkeyServer

# Another PostgreSQL than the wheel's, such as Debian's under /usr/lib/postgresql/15/bin.
POSTGRES_BINARIES = os.environ.get("PARAKEET_TEST_POSTGRES_BINARIES")


session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")


@pytest.fixture(scope="session")
def servers() -> Iterator[Path]:
    """The folder of all servers of this session."""
    with servers_folder() as folder:
        yield folder


@session_fixture
async def postgres_server(servers: Path) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(servers / "postgres", binaries=Path(POSTGRES_BINARIES) if POSTGRES_BINARIES else None)
    await server.start()
    yield server
    await server.stop()


@session_fixture
async def valkey_server(servers: Path) -> AsyncIterator[ValkeyServer]:
    server = ValkeyServer(servers / "valkey")
    await server.start()
    yield server
    await server.stop()


@session_fixture
async def rabbitmq_server(servers: Path) -> AsyncIterator[RabbitMQ]:
    server = RabbitMQ(servers / "rabbitmq")
    await server.start()
    yield server
    await server.stop()


@session_fixture
async def grid(servers: Path) -> AsyncIterator[Grid]:
    """A hub and a node; a test that kills something starts it again."""
    server = Grid(servers / "grid")
    await server.start()
    yield server
    await server.stop()


@session_fixture
async def standalone_grid(servers: Path) -> AsyncIterator[StandaloneGrid]:
    server = StandaloneGrid(servers / "standalone-grid")
    await server.start()
    yield server
    await server.stop()


@session_fixture
async def webdriver(servers: Path) -> AsyncIterator[Driver]:
    server = Driver(servers / "webdriver", await find_or_install())
    await server.start()
    yield server
    await server.stop()


@session_fixture
async def s3_server(servers: Path) -> AsyncIterator[S3Server]:
    server = S3Server(servers / "s3")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(params=["folder", "s3", "s3 under a prefix"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server) -> AsyncIterator[EvidenceStore]:
    """An empty store of each kind."""
    if request.param == "folder":
        yield FolderStore(tmp_path / "evidence")
        return
    bucket = f"evidence-{uuid4()}"
    await asyncio.to_thread(s3_server.make_bucket, bucket)
    made = S3Store(bucket, endpoint_url=s3_server.url, prefix="/parakeet/" if "prefix" in request.param else "", **KEYS)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A database of this test's own, with every migration applied."""
    url = await postgres_server.lend_database()
    yield url
    await postgres_server.take_back(url)


@pytest_asyncio.fixture
async def empty_database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A database of this test's own, with nothing in it."""
    url = await postgres_server.create_database(empty=True)
    yield url
    await postgres_server.drop_database(url)


@pytest_asyncio.fixture
async def redis_url(valkey_server: ValkeyServer) -> str:
    """A Valkey with nothing in it."""
    await valkey_server.flush()
    return valkey_server.url


@pytest_asyncio.fixture
async def amqp_url(rabbitmq_server: RabbitMQ) -> AsyncIterator[str]:
    """A virtual host of this test's own."""
    url = await rabbitmq_server.create_vhost()
    yield url
    if rabbitmq_server.running:
        await rabbitmq_server.delete_vhost(url)


@pytest.fixture
def grid_url(grid: Grid) -> str:
    return grid.url


@pytest.fixture
def webdriver_url(webdriver: Driver) -> str:
    return webdriver.url
