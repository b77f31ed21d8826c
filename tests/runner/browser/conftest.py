"""The demo partners, hostile servers, and the proof after every test that no browser is left."""

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from examples.shop.app import PASSWORD, USERNAME
from services.embedded.process import LOOPBACK, free_port
from services.runner.browser.attempt import AttemptReport, BrowserTask, CheckTask, Credentials, Session
from services.runner.browser.run import run_browser_task
from services.runner.browser.settings import BrowserSettings
from tests.patience import PATIENCE_SECONDS
from tests.runner.browser.sites import make_app
from tests.servers.grid import HEADLESS_SHELL
from tests.servers.process import server_process

_RUN = "PARAKEET_TEST_RUN"
# Inherited by every server of this run, and by every browser that those start.
os.environ[_RUN] = str(os.getpid())

GOOD = Credentials(USERNAME, PASSWORD)


def browsers() -> list[psutil.Process]:
    """The main processes of all browsers that the servers of this test run started, orphans too."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            mine = process.name().startswith("chrom") and process.environ().get(_RUN) == os.environ[_RUN]
            if mine and process.status() != psutil.STATUS_ZOMBIE and "--type=" not in " ".join(process.cmdline()):
                found.append(process)
    return [process for process in found if not process.name().startswith("chromedriver")]


@pytest.fixture(autouse=True)
async def no_browser_is_left() -> AsyncIterator[None]:
    yield
    async with asyncio.timeout(PATIENCE_SECONDS):  # an ended session's processes take a moment to go
        while browsers():
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(servers: Path) -> AsyncIterator[str]:
    """The base URL of the demo partners."""
    port = free_port()
    command = [sys.executable, "-m", "examples.shop", "--host", LOOPBACK, "--port", str(port)]
    server = server_process("shop", command, servers / "shop")

    async def ready() -> bool:
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as client, client.get(f"http://{LOOPBACK}:{port}/control") as answer:
                return answer.status == 200
        return False

    await server.start(ready)
    yield f"http://{LOOPBACK}:{port}"
    await server.kill()


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """The base URL of an application that runs here."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, 0)
        await site.start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """The base URL of the sites in `sites.py`."""
    async with served(make_app()) as url:
        yield url


@pytest.fixture
def closed_url() -> str:
    """Nobody listens here."""
    return f"http://{LOOPBACK}:{free_port()}"


@dataclass
class Listener:
    """A server that accepts and never answers; `asked` is set by the first thing it is sent."""

    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@pytest.fixture
async def silent() -> AsyncIterator[Listener]:
    listener = Listener()
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError):
            if await reader.read(1):
                listener.asked.set()

    server = await asyncio.start_server(accept, LOOPBACK, 0)
    listener.port = server.sockets[0].getsockname()[1]
    yield listener
    server.close()
    for writer in writers:
        writer.transport.abort()


@pytest.fixture
async def self_signed_url(tmp_path: Path) -> AsyncIterator[str]:
    """A TLS server whose certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    server = await asyncio.start_server(lambda reader, writer: writer.close(), LOOPBACK, 0, ssl=context)
    yield f"https://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/login"
    server.close()


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self-signed")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


DESKTOP: Mapping[str, Any] = {"browserName": "chrome", "pk:profile": "desktop"}
# The same engine for less than half of the processor. What depends on the browser itself is tested through a Grid.
SHELL: Mapping[str, Any] = {"browserName": "chrome", "goog:chromeOptions": {"binary": str(HEADLESS_SHELL)}}


_spent: dict[bytes, int] = {}


def spend_once(account: bytes, step: int) -> bool:
    """A site refuses a code that it has seen before, whichever test it was."""
    if _spent.get(account, -1) >= step:
        return False
    _spent[account] = step
    return True


def task_for(entry_point: str, *, credentials: Credentials | None = GOOD, **changes: Any) -> BrowserTask:
    """One `login` check there, unless `checks` says otherwise."""
    given: dict[str, Any] = {
        "scheduled_job_id": "1",
        "attempt": 1,
        "partner": "acme",
        "checks": (CheckTask("login", entry_point, credentials),),
        "browser": "chromium",
        "capabilities": DESKTOP,
        "timeout_seconds": 30,
        "slow_after_seconds": 20,
        "patience_seconds": 2,
        "spend_code": spend_once,
    }
    return BrowserTask(**(given | changes))


def settings_for(webdriver_url: str, **changes: Any) -> BrowserSettings:
    given: dict[str, Any] = {"webdriver_url": webdriver_url, "no_sandbox": os.geteuid() == 0, "evidence_seconds": 6.0}
    return BrowserSettings(**(given | changes))


async def ignore(session: Session) -> None:
    return None


@pytest.fixture
def check(webdriver_url: str) -> Callable[..., Coroutine[Any, Any, AttemptReport]]:
    """Runs a task against the plain driver; keywords that are settings change those, others the task.

    In Chromium's headless shell, where that is installed and no other browser is asked for.
    """

    async def run(entry_point: str, **changes: Any) -> AttemptReport:
        names = {name for name in changes if name in BrowserSettings.__dataclass_fields__}
        chosen = {"webdriver_url": webdriver_url} | {name: changes.pop(name) for name in names}
        settings = settings_for(**chosen)
        if settings.webdriver_url == webdriver_url and settings.browser_binary is None and HEADLESS_SHELL.exists():
            changes = {"capabilities": SHELL} | changes
        return await run_browser_task(task_for(entry_point, **changes), settings, on_session=ignore)

    return run
