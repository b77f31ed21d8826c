"""The processes of docker-compose.yml, started natively with the same commands and environment names."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
from cryptography.fernet import Fernet

from services.embedded.process import LOOPBACK, POLL_SECONDS, ServerProcess, free_port
from tests.patience import PATIENCE_SECONDS
from tests.servers.process import ROOT, server_process


class ServiceProcess:
    """One `python -m ...`, which can be killed and started again under the same settings."""

    def __init__(self, process: ServerProcess, ready: Callable[[], Awaitable[bool]]) -> None:
        self._process = process
        self._ready = ready

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._process.log_path.read_text(errors="replace")

    async def start(self) -> None:
        await self._process.start(self._ready, PATIENCE_SECONDS)

    async def kill(self) -> None:
        """SIGKILL: it gets no chance to hand anything back."""
        await self._process.kill()

    def freeze(self) -> None:
        """SIGSTOP: as if the machine were suspended, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def ended(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Until it is gone by itself, as at a crash point."""
        await until(lambda: _gone(self.pid), seconds=seconds, what=f"process {self.pid} to end")

    async def stop(self) -> None:
        """SIGTERM, and its own orderly end."""
        await self._process.stop(grace_seconds=60)

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@dataclass
class Stack:
    """Makes the processes of one installation; all that it started ends with `stop`."""

    folder: Path
    database_url: str
    amqp_url: str
    redis_url: str
    webdriver_url: str
    secret_keys: str = field(default_factory=lambda: Fernet.generate_key().decode())
    api_port: int = field(default_factory=free_port)
    shop_port: int = field(default_factory=free_port)
    _started: list[ServiceProcess] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """As `x-environment` of docker-compose.yml."""
        return {
            "PYTHONPATH": str(ROOT),  # in place of the image's working directory
            "PARAKEET_DATABASE_URL": self.database_url,
            "PARAKEET_AMQP_URL": self.amqp_url,
            "PARAKEET_REDIS_URL": self.redis_url,
            "PARAKEET_WEBDRIVER_URL": self.webdriver_url,
            "PARAKEET_SECRET_KEYS": self.secret_keys,
            "PARAKEET_EVIDENCE_DIR": str(self.folder / "evidence"),
            "PARAKEET_LOG_LEVEL": "INFO",
            "PARAKEET_LOG_FORMAT": "json",
        }

    @property
    def api_url(self) -> str:
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def shop_url(self) -> str:
        return f"http://{LOOPBACK}:{self.shop_port}"

    def api(self) -> ServiceProcess:
        listen = {"PARAKEET_HOST": LOOPBACK, "PARAKEET_PORT": str(self.api_port), "PARAKEET_AUTH": "on"}
        return self._process("api", ["services.api"], listen, lambda: answers(f"{self.api_url}/readyz"))

    def scheduler(self, name: str = "scheduler", **settings: str) -> ServiceProcess:
        """Settings by their names in the environment; a proxy's URL in place of the server's, for example."""
        return self._replica(name, "scheduler", settings)

    def runner(self, name: str = "runner", *, slots: int = 2, **changed: str) -> ServiceProcess:
        """Settings by their names in the environment."""
        settings = {"PARAKEET_BROWSER_SLOTS": str(slots), "PARAKEET_CALLBACK_ALLOW": LOOPBACK, **changed}
        if os.geteuid() == 0:
            settings["PARAKEET_BROWSER_NO_SANDBOX"] = "true"  # Chromium has no sandbox for root
        return self._replica(name, "runner", settings)

    def shop(self) -> ServiceProcess:
        command = ["examples.shop", "--host", LOOPBACK, "--port", str(self.shop_port)]
        return self._process("shop", command, {}, lambda: answers(self.shop_url))

    async def create_key(self, *arguments: str) -> str:
        """The answer of `python -m services.api.keys create`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.api.keys", "create", *arguments),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode().strip()

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop() for process in self._started))

    def _replica(self, name: str, kind: str, settings: Mapping[str, str]) -> ServiceProcess:
        """Ready when it has renewed its row of `replicas`; its identity is new with every start."""
        known: set[Any] = set()

        async def ready() -> bool:
            found = {row["id"] for row in await self.fetch("SELECT id FROM replicas WHERE kind = $1", kind)}
            fresh = found - known
            known.update(fresh)
            return bool(fresh)

        class Replica(ServiceProcess):
            async def start(self) -> None:
                await ready()
                await super().start()

        return self._process(name, [f"services.{kind}"], settings, ready, Replica)

    def _process(
        self,
        name: str,
        command: list[str],
        settings: Mapping[str, str],
        ready: Callable[[], Awaitable[bool]],
        handle: type[ServiceProcess] = ServiceProcess,
    ) -> ServiceProcess:
        environment = {**self.environment, **settings}
        process = server_process(name, [sys.executable, "-m", *command], self.folder, environment)
        self._started.append(handle(process, ready))
        return self._started[-1]

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Rows of the installation's database."""
        async with self.transaction() as connection:
            return list(await connection.fetch(query, *values))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """On a connection of its own to the installation's database."""
        connection = await asyncpg.connect(self.database_url.replace("+asyncpg", ""))
        try:
            async with connection.transaction():
                yield connection
        finally:
            await connection.close()

    async def until(self, query: str, *values: Any, seconds: float = PATIENCE_SECONDS) -> list[Any]:
        """The rows of the query, once there are any."""
        rows: list[Any] = await until(lambda: self.fetch(query, *values), seconds=seconds, what=query)
        return rows


async def until(look: Callable[[], Awaitable[Any]], *, seconds: float = PATIENCE_SECONDS, what: str = "") -> Any:
    """What `look` returns, once that is something; fails when it takes longer than can be explained."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await look()):
                await asyncio.sleep(POLL_SECONDS * 5)
            return found
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


async def _gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def answers(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False
