"""What a WebDriver end says of itself: a Grid lists its nodes and slots, a plain driver only that it is ready."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import aiohttp

from services.runner.browser.connection import split_userinfo

# A capability of our own, by which a session or a request is known as that of one attempt.
MARKER = "pk:attempt"


class GridStatus:
    """The answer of `/status`."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._nodes: list[dict[str, Any]] = list(value.get("nodes") or ())
        self.is_grid = "nodes" in value

    def offers(self, capabilities: Mapping[str, Any]) -> bool:
        return any(matches(slot.get("stereotype") or {}, capabilities) for _, slot in self._slots())

    def has_free_slot(self, capabilities: Mapping[str, Any], avoided: Collection[str] = ()) -> bool:
        """A node that is up, not avoided, not full, and has an empty slot for these capabilities."""
        for node in self._nodes:
            busy = sum(slot.get("session") is not None for slot in node.get("slots", ()))
            if node.get("availability", "UP") != "UP" or busy >= node.get("maxSessions", 1):
                continue
            if node.get("uri") not in avoided and any(
                slot.get("session") is None and matches(slot.get("stereotype") or {}, capabilities)
                for slot in node.get("slots", ())
            ):
                return True
        return False

    def is_creating(self) -> bool:
        """Whether some session is being created: its slot then holds a session of this name."""
        return any((slot.get("session") or {}).get("sessionId") == "reserved" for _, slot in self._slots())

    def slots_for(self, capabilities: Mapping[str, Any] | None, avoided: Collection[str] = ()) -> int:
        """How many sessions with these capabilities (None: of any kind) the nodes can hold for us together.

        Of nodes that are up and not avoided, less what others hold of them.
        """
        found = 0
        for node in self._nodes:
            if node.get("availability", "UP") != "UP" or node.get("uri") in avoided:
                continue
            slots = [slot for slot in node.get("slots", ()) if _fits(slot, capabilities)]
            others = sum(_is_of_others(slot) for slot in node.get("slots", ()))
            free_of_others = len(slots) - sum(_is_of_others(slot) for slot in slots)
            found += max(min(free_of_others, int(node.get("maxSessions", len(slots))) - others), 0)
        return found

    def node_of(self, session_id: str) -> str | None:
        for node, slot in self._slots():
            if (slot.get("session") or {}).get("sessionId") == session_id:
                return str(node.get("uri"))
        return None

    def session_marked(self, name: str, value: str) -> str | None:
        """The id of the session whose capability `name` has this value."""
        for _, slot in self._slots():
            session = slot.get("session") or {}
            if (session.get("capabilities") or {}).get(name) == value:
                return str(session["sessionId"])
        return None

    def _slots(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for node in self._nodes:
            for slot in node.get("slots", ()):
                yield node, slot


async def read_queue(http: aiohttp.ClientSession, webdriver_url: str, seconds: float = 3.0) -> list[dict[str, Any]]:
    """The capabilities of the sessions that others wait for; none when the Grid does not say."""
    bare, headers = split_userinfo(webdriver_url)
    query = {"query": "{ sessionsInfo { sessionQueueRequests } }"}
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with http.post(f"{bare}/graphql", json=query, headers=headers, timeout=timeout) as answer:
            requests = (await answer.json(content_type=None))["data"]["sessionsInfo"]["sessionQueueRequests"]
            asked = [json.loads(request) for request in requests]
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
        return []
    return [request for request in asked if MARKER not in request]


async def read_status(http: aiohttp.ClientSession, webdriver_url: str, seconds: float = 3.0) -> GridStatus | None:
    """None when the WebDriver end does not answer."""
    bare, headers = split_userinfo(webdriver_url)
    try:
        async with http.get(f"{bare}/status", headers=headers, timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
            body = await answer.json(content_type=None)
            return GridStatus(body["value"])
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
        return None


def _fits(slot: Mapping[str, Any], capabilities: Mapping[str, Any] | None) -> bool:
    return capabilities is None or matches(slot.get("stereotype") or {}, capabilities)


def _is_of_others(slot: Mapping[str, Any]) -> bool:
    session = slot.get("session")
    # While a session is being created its slot does not tell whose it will be.
    return (
        session is not None
        and session.get("sessionId") != "reserved"
        and MARKER not in (session.get("capabilities") or {})
    )


def matches(stereotype: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """As the Grid does it: plain names must be equal, marker capabilities where both sides have them."""
    for name, value in wanted.items():
        if not isinstance(value, str):
            continue
        offered = stereotype.get(name)
        if name == "browserName" and str(offered).lower() != value.lower():
            return False
        if ":" in name and offered is not None and offered != value:
            return False
    return True
