"""What a page wrote to the console: errors and warnings of scripts, of the browser itself, and uncaught exceptions."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.runner.masking import Mask

_KEPT = 200
_MOST_CHARACTERS = 2000
_LEVELS = {"error": "error", "assert": "error", "warning": "warning"}


@dataclass(frozen=True, slots=True)
class ConsoleEntry:
    """Not masked yet. `source` is `script`, `exception`, or the part of the browser that says it, such as `network`.

    `at` is on the monotonic clock of this process, in seconds. `cut`: the text was longer.
    """

    level: str
    source: str
    text: str
    url: str
    at: float
    cut: bool = False

    def masked(self, mask: Mask, most: int) -> str:
        """At most so many characters; of a text that was cut, not the end, which may be half of a secret."""
        masked = mask.logged(self.text)
        return (masked[: -mask.longest or None] if self.cut else masked)[:most]


class ConsoleLog:
    """The last few hundred entries; `dropped` counts the earlier ones."""

    def __init__(self) -> None:
        self.entries: deque[ConsoleEntry] = deque(maxlen=_KEPT)
        self.dropped = 0

    def hear(self, method: str, params: Mapping[str, Any], now: float) -> None:
        """One `Log.`, or `Runtime.` event; `now` on this process's monotonic clock."""
        if method == "Log.entryAdded":
            entry = params["entry"]
            self._note(entry.get("level", ""), entry.get("source", ""), entry.get("text", ""), entry.get("url"), now)
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            described = details.get("exception", {}).get("description") or details.get("text", "")
            self._note("error", "exception", described, details.get("url"), now)
        elif method == "Runtime.consoleAPICalled":
            said = " ".join(str(part.get("value", part.get("description", ""))) for part in params.get("args", ()))
            frames = params.get("stackTrace", {}).get("callFrames", ())
            url = frames[0].get("url") if frames else None
            self._note(_LEVELS.get(params.get("type", ""), ""), "script", said, url, now)

    def _note(self, level: str, source: str, text: object, url: str | None, now: float) -> None:
        if level not in _LEVELS:
            return
        whole = str(text)
        self.dropped += len(self.entries) == _KEPT
        cut = len(whole) > _MOST_CHARACTERS
        self.entries.append(ConsoleEntry(level, source, whole[:_MOST_CHARACTERS], url or "", now, cut))
