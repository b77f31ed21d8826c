"""`python -m services`: everything in one process on embedded parts. The same code; only the adapters differ."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import structlog
import uvicorn
from alembic import command
from alembic.config import Config
from cryptography.fernet import Fernet
from fastapi import FastAPI
from pydantic import ValidationError

from services.api.app import create_app
from services.api.auth import is_loopback
from services.api.settings import ApiSettings
from services.embedded.apt import PackagesMissing
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
        await asyncio.to_thread(command.upgrade, Config(str(ROOT / "alembic.ini")), "head")
        api, scheduler = ApiSettings.model_validate({}), SchedulerSettings.model_validate({})
        runner = _runner_settings()
        queue: Queue = RabbitQueue(scheduler.amqp_url) if scheduler.amqp_url else MemoryQueue()
        running.push_async_callback(queue.close)
        app = create_app(api)
        async with asyncio.TaskGroup() as services:
            services.create_task(_serve(app, api, stop))
            services.create_task(run_scheduler(scheduler, queue, stop))
            services.create_task(run_runner(runner, queue, stop))
            services.create_task(_show_the_way(app, api, embedded, running, stop))


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


async def _serve(app: FastAPI, settings: ApiSettings, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    app.state.server_started = asyncio.Event()
    serving = asyncio.create_task(_startup_then_serve(server, app.state.server_started))
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stop.set()


async def _startup_then_serve(server: _Server, started: asyncio.Event) -> None:
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    started.set()
    try:
        await serving
    except SystemExit:
        # The port is taken; uvicorn has said so.
        raise RuntimeError("The API could not listen; choose another PARAKEET_PORT.") from None


async def _show_the_way(
    app: FastAPI, api: ApiSettings, embedded: EmbeddedSettings, running: AsyncExitStack, stop: asyncio.Event
) -> None:
    await app.state.server_started.wait()
    if stop.is_set():
        return
    url = f"http://{api.host}:{api.port}"
    if embedded.demo == "on" and api.auth == "off":
        demo = Demo(embedded.data_dir / "demo.json")
        running.push_async_callback(demo.stop)
        await demo.start()
        await demo.add_partners(url, {})
    print(f"\n  Parakeet is up: {url}   (API: {url}/docs)   Ctrl-C stops it.\n", flush=True)


async def _main(embedded: EmbeddedSettings) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run(embedded, stop)


def main() -> int:
    try:
        embedded = EmbeddedSettings.model_validate({})
        host = os.environ.get("PARAKEET_HOST", "127.0.0.1")
        if os.environ.get("PARAKEET_AUTH", "off") == "off" and not is_loopback(host):
            raise ValueError("Without authentication Parakeet listens on loopback only: set PARAKEET_AUTH=on.")
        set_up_logs(os.environ.get("PARAKEET_LOG_LEVEL", "INFO"), os.environ.get("PARAKEET_LOG_FORMAT", "console"))
        asyncio.run(_main(embedded))
    except ValidationError as error:
        for item in error.errors(include_input=False):
            print(f"PARAKEET_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}", file=sys.stderr)
        return 2
    except (ValueError, DataFolderInUse, PackagesMissing, ServerNotReady) as error:
        print(error, file=sys.stderr)
        return 2
    except ExceptionGroup as group:
        for failure in group.exceptions:
            print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
