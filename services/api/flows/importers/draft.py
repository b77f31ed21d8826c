"""The flow that grows while a recording is read, and what became of each of its steps."""

from dataclasses import dataclass, field
from typing import Any, Literal

# A flow has at most a hundred steps; tests that run one another, or themselves, could make millions.
MOST_TOLD = 1000

Fate = Literal["kept", "changed", "unsupported", "added"]
Locator = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What became of one recorded step; `steps` are positions in the flow. Never holds what was typed."""

    recorded: str
    fate: Fate
    reason: str = ""
    steps: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """Steps as JSON, since they may not make a valid flow yet. `landed` are URLs that the recording says it came to,
    each with the step that led there."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    report: list[Told] = field(default_factory=list)
    landed: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    in_frame: list[list[Locator]] = field(default_factory=list)
    in_window: str = "first"

    def keep(self, recorded: str, *steps: dict[str, Any], changed: str = "") -> None:
        positions = [self.add(step) for step in steps]
        self.report.append(Told(recorded, "changed" if changed else "kept", changed, positions))

    def leave_out(self, recorded: str, reason: str) -> None:
        self.report.append(Told(recorded, "unsupported", reason))

    def drop(self, recorded: str, reason: str) -> None:
        """Not needed here: its purpose is served without it."""
        self.report.append(Told(recorded, "changed", reason))

    def add(self, step: dict[str, Any]) -> int:
        """Its position."""
        self.steps.append(step)
        return len(self.steps) - 1

    def is_full(self, recorded: str) -> bool:
        """Then no more is read, which is told once."""
        if len(self.report) == MOST_TOLD:
            self.leave_out(recorded, "it is too much: nothing is read from here on")
        return len(self.report) > MOST_TOLD
