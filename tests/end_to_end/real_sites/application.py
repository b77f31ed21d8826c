"""What every real application has: packages, an account, a process on a loopback port, and a page to log in at."""

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import aiohttp

from services.embedded.process import LOOPBACK, ServerProcess, free_port
from services.runner.browser.attempt import Credentials
from tests.end_to_end.real_sites.packages import Npm, PyPI, installed
from tests.servers.process import server_process

_PREPARE_SECONDS = 120
_START_SECONDS = 120


class Application:
    """One application that others wrote. It is given an account in `prepare`, by its own means, and runs as shipped."""

    name: ClassVar[str]
    mechanics: ClassVar[str]
    packages: ClassVar[PyPI | Npm]
    # What it needs from another registry.
    further_packages: ClassVar[PyPI | Npm | None] = None
    entry_path: ClassVar[str] = "/"
    check: ClassVar[str] = "login"
    username: ClassVar[str] = "ada"
    password: ClassVar[str] = "Correct-horse-7-battery"
    totp_secret: ClassVar[str | None] = None

    def __init__(self, folder: Path) -> None:
        """`folder` takes its data and its log; it is new for each run."""
        self.folder = folder.resolve()
        self.port = free_port()
        self._programs: list[Path] = []
        self._process: ServerProcess | None = None

    @classmethod
    def slug(cls) -> str:
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def version(cls) -> str:
        return cls.packages.version()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def entry_point(self) -> str:
        return self.url + self.entry_path

    @property
    def log_path(self) -> Path:
        return self.folder / f"{self.slug()}.log"

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.username, self.password, self.totp_secret)

    async def prepare(self) -> None:
        """Writes its configuration and makes the account."""

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    async def ready(self) -> bool:
        """Whether it answers at its entry point, refusals such as 401 included."""
        await asyncio.sleep(0.2)  # many log every request in vain
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=5)
            async with aiohttp.ClientSession(timeout=timeout) as client, client.get(self.entry_point) as answer:
                return answer.status < 404
        return False

    async def start(self) -> None:
        """Installs what is missing (raises `NotInstallable`), prepares it, and returns when it is ready."""
        self._programs = [self.packages.programs(await installed(self.packages))]
        if self.further_packages is not None:
            folder = await installed(self.further_packages)
            self._programs.append(self.further_packages.programs(folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.prepare()
        command = ["env", "-C", str(self.folder), *self.command()]
        environment = {"HOME": str(self.folder)} | dict(self.environment())
        self._process = server_process(self.slug(), command, self.folder, environment)
        await self._process.start(self.ready, _START_SECONDS)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop(grace_seconds=3)

    def program(self, name: str) -> str:
        """The path of a program that the packages brought."""
        return next(str(folder / name) for folder in self._programs if (folder / name).exists())

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    async def run(self, *command: str, stdin: str = "") -> str:
        """Runs one of its own commands to the end; what it printed. Raises RuntimeError with that when it failed."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=dict(os.environ) | {"HOME": str(self.folder)} | dict(self.environment()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_PREPARE_SECONDS):
                output, complaints = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode(errors="replace")
        if process.returncode:
            said = (text + complaints.decode(errors="replace"))[-2000:]
            raise RuntimeError(f"{Path(command[0]).name} {' '.join(command[1:])[:200]}: {said}")
        return text
