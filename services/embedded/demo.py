"""The demo partners: their shop is served beside Parakeet, and they are added once, through the API like anybody's."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from examples.shop.app import make_app
from examples.shop.partners import demo_partners
from services.embedded.process import LOOPBACK

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10


class Demo:
    """`memory` remembers the shop's port and that the partners were added, so that deleting them lasts."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._runner = web.AppRunner(make_app(), access_log=None)
        self.url = ""

    async def start(self) -> None:
        """Serve the shop on last time's port, or on another when that is taken."""
        await self._runner.setup()
        try:
            await self._listen(int(self._remembered().get("port", 0)))
        except OSError:
            await self._listen(0)

    async def _listen(self, port: int) -> None:
        site = web.TCPSite(self._runner, LOOPBACK, port)
        await site.start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"

    def _remembered(self) -> dict[str, Any]:
        try:
            remembered: dict[str, Any] = json.loads(self._memory.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return remembered

    async def add_partners(self, api_url: str, headers: dict[str, str]) -> None:
        """Add each partner with its schedule and run it at once; later starts only tell where the shop is now."""
        remembered = self._remembered()
        port = int(self.url.rsplit(":", 1)[1])
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(f"{api_url}/api/v1/", timeout=timeout, headers=headers) as http:
            if not remembered.get("added"):
                await self._add(http)
            elif remembered.get("port") != port:
                for partner, _ in demo_partners(self.url):
                    await http.patch(f"partners/{partner['code']}", json={"entry_point": partner["entry_point"]})
        self._memory.write_text(json.dumps({"added": True, "port": port}))

    async def _add(self, http: aiohttp.ClientSession) -> None:
        for partner, configuration in demo_partners(self.url):
            if await _post(http, "partners", partner):
                made = await _post(http, "job-configurations", configuration)
                await _post(http, f"job-configurations/{made['id']}/run", {})
        log.info("demo_partners_added")

    async def stop(self) -> None:
        await self._runner.cleanup()


async def _post(http: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer; empty when it exists already."""
    async with http.post(path, json=body) as answer:
        if answer.status == 409:
            return {}
        if not answer.ok:
            raise RuntimeError(f"POST {path}: {answer.status} {await answer.text()}")
        made: dict[str, Any] = await answer.json()
        return made
