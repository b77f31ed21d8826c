"""A browser driver on this machine: Chromium's, found or installed."""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from services.embedded import apt, leftovers
from services.embedded.process import LOOPBACK, ServerProcess, free_port

DRIVERS = ("chromedriver", "/usr/lib/chromium/chromedriver", "/usr/lib/chromium-browser/chromedriver")
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGES = ("chromium", "chromium-driver")


@dataclass(frozen=True, slots=True)
class BrowserPrograms:
    driver: Path
    browser: Path


async def find_or_install() -> BrowserPrograms:
    """The driver and the browser; installed by apt if missing and allowed, else `apt.PackagesMissing` says how."""
    found = find()
    if found is None:
        await apt.install("A browser (Chromium with its driver)", PACKAGES)
        found = find()
    if found is None:
        raise apt.PackagesMissing("Chromium and chromedriver were installed, but are not in PATH.")
    return found


def find() -> BrowserPrograms | None:
    driver = next((path for name in DRIVERS if (path := shutil.which(name))), None)
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return BrowserPrograms(Path(driver), Path(browser)) if driver and browser else None


class Driver:
    """One chromedriver on a loopback port; it starts a browser per session."""

    def __init__(self, folder: Path, programs: BrowserPrograms) -> None:
        self.folder = folder.resolve()
        self.log_path = self.folder / "chromedriver.log"
        self.port = free_port()
        self._programs = programs
        # Browsers put profiles there, and sockets, whose paths must be short; one folder per data folder, so that the
        # next start can clear what killed browsers left.
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        self._scratch = Path(tempfile.gettempdir()) / f"parakeet-{digest}"
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("chromedriver was not started")
        return self._process.pid

    async def start(self) -> None:
        records = self.folder / "processes"
        leftovers.reap(records)
        self._clear_scratch()
        self._scratch.mkdir(mode=0o700)
        self._process = ServerProcess(
            name="chromedriver",
            command=[str(self._programs.driver), f"--port={self.port}"],
            log_path=self.log_path,
            environment={"TMPDIR": str(self._scratch)},
            records=records,
        )
        await self._process.start(self._ready)

    async def stop(self) -> None:
        """The driver leaves its browsers behind when it ends, so the whole group is ended with it."""
        if self._process is not None:
            await self._process.stop(grace_seconds=5)
            self._process = None
            self._clear_scratch()

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.kill()
            self._process = None
            self._clear_scratch()

    def _clear_scratch(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    async def _ready(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=2)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as client, client.get(f"{self.url}/status") as response:
                return bool((await response.json())["value"]["ready"])
        except (aiohttp.ClientError, TimeoutError):
            return False
