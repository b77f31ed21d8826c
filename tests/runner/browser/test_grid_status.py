"""How many sessions a Grid can hold for us, read from what `/status` says."""

from typing import Any

import pytest

from services.runner.browser.grid.status import GridStatus

DESKTOP = {"browserName": "chrome", "pk:profile": "desktop"}
MOBILE = {"browserName": "chrome", "pk:profile": "mobile"}
FIREFOX = {"browserName": "firefox", "pk:profile": "desktop"}
OURS = {"sessionId": "1", "capabilities": {"pk:attempt": "x"}}
OTHERS = {"sessionId": "2", "capabilities": {}}
IN_THE_MAKING = {"sessionId": "reserved", "capabilities": DESKTOP}


def node(*slots: tuple[dict[str, str], Any], most: int = 2, uri: str = "http://n1", up: str = "UP") -> dict[str, Any]:
    listed = [{"stereotype": stereotype, "session": session} for stereotype, session in slots]
    return {"uri": uri, "availability": up, "maxSessions": most, "slots": listed}


@pytest.mark.parametrize(
    ("nodes", "wanted", "expected"),
    [
        ([node((DESKTOP, None), (DESKTOP, None))], DESKTOP, 2),
        ([node((DESKTOP, None), (DESKTOP, None))], {**DESKTOP, "goog:chromeOptions": {"args": ["--lang=de"]}}, 2),
        ([node((DESKTOP, None), (DESKTOP, None))], MOBILE, 0),
        # What we hold ourselves is ours to use.
        ([node((DESKTOP, OURS), (DESKTOP, None))], DESKTOP, 2),
        ([node((DESKTOP, OTHERS), (DESKTOP, None))], DESKTOP, 1),
        ([node((DESKTOP, IN_THE_MAKING), (DESKTOP, None))], DESKTOP, 2),
        # A node may list more kinds of slots than it holds sessions.
        ([node((DESKTOP, None), (DESKTOP, None), (MOBILE, None), (MOBILE, None))], MOBILE, 2),
        ([node((DESKTOP, OTHERS), (DESKTOP, OTHERS), (MOBILE, None), (MOBILE, None))], MOBILE, 0),
        ([node((DESKTOP, None), (DESKTOP, None), (MOBILE, None), (MOBILE, None))], None, 2),
        ([node((DESKTOP, None), up="DOWN"), node((DESKTOP, None), up="DRAINING")], DESKTOP, 0),
        ([node((DESKTOP, None)), node((DESKTOP, None), (FIREFOX, None), uri="http://n2")], DESKTOP, 2),
        ([node((DESKTOP, None), uri="http://bad"), node((DESKTOP, None), uri="http://n2")], DESKTOP, 1),
        ([], DESKTOP, 0),
    ],
)
def test_slots_for_us(nodes: list[dict[str, Any]], wanted: dict[str, Any] | None, expected: int) -> None:
    assert GridStatus({"nodes": nodes}).slots_for(wanted, {"http://bad"}) == expected


def test_a_free_slot_on_an_avoided_node_is_none() -> None:
    status = GridStatus({"nodes": [node((DESKTOP, None), uri="http://bad"), node((DESKTOP, OURS), uri="http://n2")]})
    assert status.has_free_slot(DESKTOP)
    assert not status.has_free_slot(DESKTOP, {"http://bad"})
