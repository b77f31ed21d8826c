"""`python -m services`: everything in one process on embedded parts. The same code; only the adapters differ."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import structlog
import uvicorn
from alembic import command
from alembic.config import Config
from cryptography.fernet import Fernet

from services.api.app import create_app
from services.api.auth import is_loopback
from services.api.settings import ApiSettings
from services.embedded.apt import PackagesMissing
from services.embedded.browser import add_first_browser
from services.embedded.demo import Demo
from services.embedded.parts import DataFolderInUse, Parts, embedded_parts
from services.embedded.process import ServerNotReady
from services.embedded.settings import EmbeddedSettings
from services.runner.__main__ import run as run_runner
from services.runner.settings import RunnerSettings
from services.scheduler.__main__ import run as run_scheduler
from services.scheduler.settings import SchedulerSettings
from shared.process import stop_on_signals
from shared.queue import Queue
from shared.queue.memory import MemoryQueue
from shared.queue.rabbitmq import RabbitQueue
from shared.settings import errors_told
from shared.telemetry import set_up_logs

log = structlog.get_logger(__name__)

ROOT = Path(__file__).parent.parent


class _Server(uvicorn.Server):
    """Signals are ours: one Ctrl-C stops the parts in their order, not the API alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(embedded: EmbeddedSettings, stop: asyncio.Event) -> None:
    """Start the parts, bring the tables up to date, run the three services until told to stop."""
    async with AsyncExitStack() as running:
        # First of all: a port that is taken should cost nobody a start and a stop of everything.
        taken = running.enter_context(_take_port(embedded.host, embedded.port))
        print("Starting PostgreSQL, Valkey and a browser driver ...", flush=True)
        parts = await running.enter_async_context(
            embedded_parts(
                embedded.data_dir,
                database_url=embedded.database_url,
                redis_url=embedded.redis_url,
                webdriver_url=embedded.webdriver_url,
            )
        )
        _tell_services(embedded, parts)
        demo = await _start_demo(embedded, running)
        await asyncio.to_thread(command.upgrade, Config(str(ROOT / "alembic.ini")), "head")
        await add_first_browser(parts.database_url)
        api, scheduler = ApiSettings.model_validate({}), SchedulerSettings.model_validate({})
        runner = _runner_settings()
        queue: Queue = RabbitQueue(scheduler.amqp_url) if scheduler.amqp_url else MemoryQueue()
        running.push_async_callback(queue.close)
        server, listening = _Server(_listen_on(api)), asyncio.Event()
        async with asyncio.TaskGroup() as services:
            services.create_task(_serve(server, taken, listening, stop))
            working = [
                services.create_task(run_scheduler(scheduler, queue, stop)),
                services.create_task(run_runner(runner, queue, stop)),
            ]
            services.create_task(_show_the_way(listening, api, demo, stop))
            await stop.wait()
            print("Stopping: checks in hand may end first ...", flush=True)
            # The API last: it serves the control page, by which a check in hand tells the partner's fault from ours.
            await asyncio.wait(working)
            server.should_exit = True


def _tell_services(embedded: EmbeddedSettings, parts: Parts) -> None:
    """The services read their settings from the environment, here as everywhere; what is set already stays."""
    folder = embedded.data_dir
    os.environ["PARAKEET_DATABASE_URL"] = parts.database_url
    os.environ["PARAKEET_REDIS_URL"] = parts.redis_url
    os.environ["PARAKEET_WEBDRIVER_URL"] = parts.webdriver_url
    os.environ.setdefault("PARAKEET_AUTH", "off")
    os.environ.setdefault("PARAKEET_EVIDENCE_DIR", str(folder / "evidence"))
    if not os.environ.get("PARAKEET_SECRET_KEYS") and not os.environ.get("PARAKEET_SECRET_KEYS_FILE"):
        os.environ["PARAKEET_SECRET_KEYS_FILE"] = str(_own_secret_key(folder / "secret.key"))


def _own_secret_key(path: Path) -> Path:
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
    return path


async def _start_demo(embedded: EmbeddedSettings, running: AsyncExitStack) -> Demo | None:
    """Before the services read their settings: these say that callbacks may be sent to the shop, though on loopback."""
    if embedded.demo == "off" or os.environ["PARAKEET_AUTH"] != "off":
        return None
    demo = Demo(embedded.data_dir / "demo.json")
    running.push_async_callback(demo.stop)
    await demo.start()
    os.environ.setdefault("PARAKEET_CALLBACK_ALLOW", demo.address)
    return demo


def _runner_settings() -> RunnerSettings:
    settings = RunnerSettings.model_validate({})
    api = ApiSettings.model_validate({})
    changed: dict[str, object] = {}
    if settings.control_url is None:
        changed["control_url"] = f"http://{api.host}:{api.port}/healthz"
    if os.geteuid() == 0:
        # Chromium has no sandbox for root; the driver is a child of ours, so it runs as root too.
        changed["browser_no_sandbox"] = True
    return settings.model_copy(update=changed)


def _take_port(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ValueError(
            f"Can't listen on {host}:{port} ({os.strerror(error.errno or 0)}); choose another PARAKEET_PORT."
        ) from None


def _listen_on(settings: ApiSettings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


async def _serve(server: _Server, taken: socket.socket, listening: asyncio.Event, stop: asyncio.Event) -> None:
    serving = asyncio.create_task(server.serve(sockets=[taken]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)  # uvicorn has no event for this
    listening.set()
    try:
        await serving
    finally:
        stop.set()  # without the API the others have no reason to go on


async def _show_the_way(listening: asyncio.Event, api: ApiSettings, demo: Demo | None, stop: asyncio.Event) -> None:
    await listening.wait()
    if stop.is_set():
        return
    url = f"http://{api.host}:{api.port}"
    if demo is not None:
        await demo.add(url, {})
    print(f"\n  Parakeet is up: {url}   (API: {url}/docs)   Ctrl-C stops it.\n", flush=True)


async def _main(embedded: EmbeddedSettings) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run(embedded, stop)


def main() -> None:
    with errors_told():
        embedded = EmbeddedSettings.model_validate({})
        if os.environ.get("PARAKEET_AUTH", "off") == "off" and not is_loopback(embedded.host):
            raise ValueError("Without authentication Parakeet listens on loopback only: set PARAKEET_AUTH=on.")
        set_up_logs(os.environ.get("PARAKEET_LOG_LEVEL", "INFO"), os.environ.get("PARAKEET_LOG_FORMAT", "console"))
        try:
            asyncio.run(_main(embedded))
        except (DataFolderInUse, PackagesMissing, ServerNotReady) as error:
            sys.exit(str(error))
        except ExceptionGroup as group:
            sys.exit("\n".join(str(failure) for failure in group.exceptions))


if __name__ == "__main__":
    main()
