"""WebKit as Debian has it: WebKitWebDriver, which starts MiniBrowser on a display of its own."""

import shutil
from pathlib import Path

import aiohttp

from services.embedded.process import LOOPBACK, free_port
from tests.servers.process import answer, server_process

PACKAGES = ("webkit2gtk-driver", "xvfb")


def is_installed() -> bool:
    return all(shutil.which(program) for program in ("WebKitWebDriver", "Xvfb"))


class WebKitDriver:
    """One session at a time, on the whole machine: the browser of a second one ends at once, and its driver waits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.port = free_port()
        # The server picks a free display, and tells it as its only output.
        screen = ("Xvfb", "-displayfd", "1", "-screen", "0", "1366x900x24", "-nolisten", "tcp")
        self._display = server_process("xvfb", screen, self._folder)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        await self._display.start(self._has_display)
        environment = {"DISPLAY": f":{self._number()}", "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
        command = ("WebKitWebDriver", f"--host={LOOPBACK}", f"--port={self.port}")
        self._driver = server_process("webkit-driver", command, self._folder, environment)
        await self._driver.start(self._answers)

    async def stop(self) -> None:
        await self._driver.kill()
        await self._display.kill()

    def _number(self) -> str:
        lines = (self._folder / "xvfb.log").read_text().split()
        return lines[-1] if lines and lines[-1].isdigit() else ""

    async def _has_display(self) -> bool:
        return bool(self._number())

    async def _answers(self) -> bool:
        try:
            return await answer(f"{self.url}/status", raise_status=False) is not None
        except (aiohttp.ClientError, TimeoutError):
            return False
