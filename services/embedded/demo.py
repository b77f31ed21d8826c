"""The demo: its shop is served beside Parakeet; partners and jobs are added once, through the API like anybody's."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from examples.shop.app import make_app
from examples.shop.jobs import demo_jobs
from examples.shop.partners import demo_partners
from services.embedded.process import LOOPBACK

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10
UNPROCESSABLE = 422


class Demo:
    """`memory` remembers the shop's port and what was added, so that deleting it lasts."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._runner = web.AppRunner(make_app(), access_log=None)
        self._port = 0

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
        self._port = self._runner.addresses[0][1]

    @property
    def address(self) -> str:
        """Host and port, once it has started."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def _remembered(self) -> dict[str, Any]:
        try:
            remembered: dict[str, Any] = json.loads(self._memory.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return remembered

    async def add(self, api_url: str, headers: dict[str, str]) -> None:
        """Add partners with their schedules, and jobs, and run them at once; later only tell where the shop is now."""
        remembered = self._remembered()
        moved = remembered.get("port") != self._port
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(f"{api_url}/api/v1/", timeout=timeout, headers=headers) as http:
            if not remembered.get("added"):
                await self._add_partners(http)
            elif moved:
                for partner, _ in demo_partners(self.url):
                    await http.patch(f"partners/{partner['code']}", json={"entry_point": partner["entry_point"]})
            jobs: list[str] | None = remembered.get("jobs")
            if jobs is None:
                jobs = await self._add_jobs(http)
            elif moved:
                for job_id, job in zip(jobs, demo_jobs(self.url), strict=False):
                    await http.patch(f"jobs/{job_id}", json={"job": {"callback_url": job["job"]["callback_url"]}})
        self._memory.write_text(json.dumps({"added": True, "port": self._port, "jobs": jobs}))

    async def _add_partners(self, http: aiohttp.ClientSession) -> None:
        for partner, configuration in demo_partners(self.url):
            if await _post(http, "partners", partner):
                made = await _post(http, "job-configurations", configuration)
                await _post(http, f"job-configurations/{made['id']}/run", {})
        log.info("demo_partners_added")

    async def _add_jobs(self, http: aiohttp.ClientSession) -> list[str] | None:
        """Their ids; None where callbacks may not be sent to the shop, because somebody chose other addresses."""
        added = []
        for job in demo_jobs(self.url):
            async with http.post("jobs", json=job) as answer:
                if answer.status == UNPROCESSABLE:
                    log.info("demo_jobs_left_out", reason="PARAKEET_CALLBACK_ALLOW does not name the shop")
                    return None
                answer.raise_for_status()
                made = await answer.json()
            await _post(http, f"jobs/{made['id']}/run", {})
            added.append(made["id"])
        log.info("demo_jobs_added")
        return added

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
