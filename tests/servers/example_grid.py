"""A Grid from the configurations that `examples/grid/` offers."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

from services.embedded.process import LOOPBACK, free_port
from tests.patience import PATIENCE_SECONDS
from tests.servers.grid import answers, java, write
from tests.servers.process import ROOT, answer

_EXAMPLE_PORTS = ("4442", "4443", "5555", "5556", "5557")
_PORT = re.compile(r"(?<=[ :])(4444|9515|4442|4443|5555|5556|5557)\b")


class ExampleGrid:
    """A Grid from the files of examples/grid, on ports of its own: `standalone`, or `hub` and nodes.

    `relayed` is the port of the driver that the WebKit node relays to.
    """

    def __init__(self, folder: Path, *configurations: str, relayed: int = 9515) -> None:
        self._folder = folder.resolve()
        self.port = free_port()
        self._ports = {"4444": self.port, "9515": relayed, **{port: free_port() for port in _EXAMPLE_PORTS}}
        self._processes = [java(name.partition("-")[0], self._folder, name) for name in configurations]
        self._configurations = configurations

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Returns when every node is up."""
        geckodriver = shutil.which("geckodriver") or "geckodriver"
        for name in self._configurations:
            text = (
                (ROOT / "examples" / "grid" / f"{name}.toml").read_text().replace("/usr/bin/geckodriver", geckodriver)
            )
            write(self._folder / f"{name}.toml", _PORT.sub(lambda found: str(self._ports[found.group()]), text))
        for process in self._processes:
            await process.start(lambda: answers(self.url))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len((await self.status())["nodes"]) < max(1, len(self._processes) - 1):
                await asyncio.sleep(0.2)

    async def stop(self) -> None:
        for process in reversed(self._processes):
            await process.kill()

    async def status(self) -> Any:
        return (await answer(f"{self.url}/status"))["value"]
