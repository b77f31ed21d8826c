"""Selenium Grid's own account of its slots and queue. A plain browser driver answers `/status` only."""

import asyncio
import json
from collections import Counter
from typing import Any

import aiohttp

from services.api.infrastructure.schemas import GridBrowser, GridView

TIMEOUT_SECONDS = 2
_QUEUE = "{ sessionsInfo { sessionQueueRequests } }"
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, ValueError, OSError)


async def read_grid(webdriver_url: str | None) -> GridView:
    """Never raises: a Grid that does not answer, or answers nonsense, is an answer too."""
    if webdriver_url is None:
        return _without_slots("PARAKEET_WEBDRIVER_URL is not set for the API.", configured=False)
    root = webdriver_url.rstrip("/").removesuffix("/wd/hub")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as client:
            status, queue = await asyncio.gather(_read_status(client, root), _read_queue(client, root))
        return _view(status, queue)
    except _UNREACHABLE as error:
        return _without_slots(f"The Grid does not answer: {type(error).__name__}.")
    except (KeyError, TypeError, AttributeError):
        return _without_slots("The Grid's answer is not that of a WebDriver end.")


async def _read_status(client: aiohttp.ClientSession, root: str) -> dict[str, Any]:
    async with client.get(f"{root}/status") as answer:
        value: dict[str, Any] = (await answer.json(content_type=None))["value"]
        return value


async def _read_queue(client: aiohttp.ClientSession, root: str) -> list[dict[str, Any]] | None:
    """The capabilities that wait for a slot; None when there is no queue, as with a plain driver."""
    try:
        async with client.post(f"{root}/graphql", json={"query": _QUEUE}) as answer:
            if answer.status != 200:
                return None
            data = (await answer.json(content_type=None))["data"]
            return [json.loads(request) for request in data["sessionsInfo"]["sessionQueueRequests"]]
    except (*_UNREACHABLE, KeyError, TypeError):
        return None


def _view(status: dict[str, Any], queue: list[dict[str, Any]] | None) -> GridView:
    view = _without_slots(str(status.get("message", "")), reachable=True, ready=bool(status.get("ready")))
    nodes = status.get("nodes")
    if nodes is None:
        return view
    slots, busy = Counter[str](), Counter[str]()
    for node in nodes:
        for slot in node.get("slots", ()):
            name = str((slot.get("stereotype") or {}).get("browserName", "unknown"))
            slots[name] += 1
            busy[name] += slot.get("session") is not None
    queued = Counter(str(request.get("browserName", "unknown")) for request in queue or ())
    return view.model_copy(
        update={
            "nodes": len(nodes),
            "slots": slots.total(),
            "busy": busy.total(),
            "queued": None if queue is None else queued.total(),
            "browsers": [
                GridBrowser(browser_name=name, slots=slots[name], busy=busy[name], queued=queued[name])
                for name in sorted(slots.keys() | queued.keys())
            ],
        }
    )


def _without_slots(message: str, *, configured: bool = True, reachable: bool = False, ready: bool = False) -> GridView:
    return GridView(
        configured=configured,
        reachable=reachable,
        ready=ready,
        message=message,
        nodes=None,
        slots=None,
        busy=None,
        queued=None,
        browsers=[],
    )
