"""A server process of ours: started in a session of its own, awaited until ready, and gone when we are gone."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from services.embedded import leftovers

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.02


class ServerNotReady(RuntimeError):
    """A server ended or stayed silent instead of becoming ready; holds the end of what it logged."""

    def __init__(self, name: str, reason: str, log_path: Path) -> None:
        tail = ""
        with suppress(OSError):
            tail = log_path.read_text(errors="replace")[-2000:].strip()
        super().__init__(f"{name} {reason}" + (f"; its log ends with:\n{tail}" if tail else ""))


_PORTS = range(15_000, 32_000)
# Each process goes through them from a place of its own, so that two that start servers at once do not meet.
_turns = count()


def free_port() -> int:
    """A loopback port below the range that the kernel gives to outgoing connections.

    So no connection takes the port between this look and the server's bind, nor while a server is being restarted.
    """
    for _ in range(200):
        port = _PORTS[(os.getpid() * 97 + next(_turns)) % len(_PORTS)]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free loopback port between {_PORTS.start} and {_PORTS.stop}")


@dataclass(frozen=True, slots=True)
class Account:
    """The user a server runs as; with `reach`, it may pass folders that are closed to others, such as root's home."""

    name: str
    reach: bool = False


@dataclass(slots=True)
class ServerProcess:
    """One server process and what it started. Not bound to an event loop, so it may outlive the loop of a test."""

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # What the kernel sends to it when the thread that started it dies, so that a killed parent leaves no server.
    death_signal: signal.Signals = signal.SIGKILL
    # Where the process group is written down, to be ended by the next start if this process is killed.
    records: Path | None = None
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self, ready: Callable[[], Awaitable[bool]], timeout_seconds: float = 60) -> None:
        """Start it and return when `ready` says so; whatever goes wrong, nothing of it stays behind."""
        self._spawn()
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await ready():
                    if not self.running:
                        raise ServerNotReady(self.name, f"ended with status {self._process_status()}", self.log_path)
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.kill()
            raise ServerNotReady(self.name, f"was not ready within {timeout_seconds:g} s", self.log_path) from None
        except BaseException:
            await self.kill()
            raise

    async def stop(self, grace_seconds: float = 20) -> None:
        """Ask it to end; what has not ended after the grace time, or was left behind by it, is killed."""
        if self.running:
            self._process_send(self.stop_signal)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self._ended()
        await self.kill()

    async def kill(self) -> None:
        """End it and everything in its process group at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._ended()
        while leftovers.members(self._process.pid):
            await asyncio.sleep(POLL_SECONDS)
        if self.records is not None:
            leftovers.forget(self.records, self._process.pid)
        self._process = None

    def _spawn(self) -> None:
        if self._process is not None:
            raise RuntimeError(f"{self.name} is already started")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._wrapper(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                # Ctrl-C in the terminal reaches only us: we stop the servers when our own work is done.
                start_new_session=True,
            )
        if self.records is not None:
            leftovers.record(self.records, self._process.pid)

    def _wrapper(self) -> list[str]:
        return [*as_account(self.account), *(["--pdeathsig", self.death_signal.name[3:]] if _SETPRIV else [])]

    def _process_send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _process_status(self) -> int | None:
        return None if self._process is None else self._process.returncode

    async def _ended(self) -> None:
        while self.running:
            await asyncio.sleep(POLL_SECONDS)


_SETPRIV = shutil.which("setpriv")


def as_account(account: Account | None) -> list[str]:
    """The command prefix that runs a program as `account`. Elsewhere than on Linux there is no such prefix."""
    if _SETPRIV is None:
        if account is not None:
            raise RuntimeError(
                "setpriv (Debian package util-linux) is needed to start PostgreSQL as another user than root"
            )
        return []
    prefix = [_SETPRIV]
    if account is not None:
        prefix += ["--reuid", account.name, "--regid", account.name, "--clear-groups"]
        if account.reach:
            prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return prefix
