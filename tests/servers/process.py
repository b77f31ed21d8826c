"""What every test server shares: a folder that is cleared, a process that cannot be left behind, a readiness call."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from services.embedded import leftovers
from services.embedded.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
RECORDS = CACHE / "processes"
_PREFIX = "parakeet-tests-"


def server_process(
    name: str,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> ServerProcess:
    """A process that dies with us, logs into `folder`, and whose orphans the next run of the tests ends."""
    return ServerProcess(
        name=name,
        command=command,
        log_path=folder / f"{name}.log",
        environment=environment or {},
        stop_signal=stop_signal,
        records=RECORDS,
    )


@contextmanager
def servers_folder() -> Iterator[Path]:
    """A new folder for the servers' data; what killed runs left behind, processes and folders, is cleared first."""
    leftovers.reap(RECORDS)
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = old.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    # PostgreSQL runs as another user when we are root, and has to reach its folder in here.
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def answer(
    url: str,
    *,
    user: str = "",
    password: str = "",
    method: str = "GET",
    body: object = None,
    raise_status: bool = True,
) -> Any:
    """The JSON of an HTTP answer; None if it is empty, or if an error status is not to be raised. No answer raises."""
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)} if user else {}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), headers=headers) as client,
        client.request(method, url, json=body) as response,
    ):
        if raise_status:
            response.raise_for_status()
        text = await response.text()
        return json.loads(text) if text and response.ok else None
