"""What a WebDriver end says of itself: a Grid lists its nodes and slots, a plain driver only that it is ready."""

from collections.abc import Iterator, Mapping
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
        return any(_matches(slot.get("stereotype") or {}, capabilities) for _, slot in self._slots())

    def has_free_slot(self, capabilities: Mapping[str, Any]) -> bool:
        """A node that is up, not full, and has an empty slot for these capabilities."""
        for node in self._nodes:
            busy = sum(slot.get("session") is not None for slot in node.get("slots", ()))
            if node.get("availability", "UP") != "UP" or busy >= node.get("maxSessions", 1):
                continue
            if any(
                slot.get("session") is None and _matches(slot.get("stereotype") or {}, capabilities)
                for slot in node.get("slots", ())
            ):
                return True
        return False

    def is_creating(self) -> bool:
        """Whether some session is being created: its slot then holds a session of this name."""
        return any((slot.get("session") or {}).get("sessionId") == "reserved" for _, slot in self._slots())

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


async def read_status(http: aiohttp.ClientSession, webdriver_url: str, seconds: float = 3.0) -> GridStatus | None:
    """None when the WebDriver end does not answer."""
    bare, headers = split_userinfo(webdriver_url)
    try:
        async with http.get(f"{bare}/status", headers=headers, timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
            body = await answer.json(content_type=None)
            return GridStatus(body["value"])
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
        return None


def _matches(stereotype: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
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
