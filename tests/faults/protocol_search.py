"""Looks at every reachable state of the protocol's model, and tells the shortest way to one that must not be."""

from collections import deque
from dataclasses import dataclass

from tests.faults.protocol_model import Broken, Kind, Protocol


@dataclass(frozen=True, slots=True)
class Verdict:
    states: int
    broken: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.states} states: {self.broken or 'nothing is broken'}"]
        return "\n".join(lines + [f"  {number}. {name}" for number, name in enumerate(self.trace, 1)])


def explore(protocol: Protocol) -> Verdict:
    """Breadth first, so that the first counterexample is a shortest one."""
    start = protocol.start()
    states = [start]
    numbers = {start: 0}
    parents: list[tuple[int, str]] = [(-1, "")]
    # Who leads here without a fault: at any pace, and without the slow sweep.
    into: list[list[int]] = [[]]
    into_soon: list[list[int]] = [[]]
    dead_end = -1
    done = (1,) * protocol.moments

    def verdict(number: int, broken: str) -> Verdict:
        names: list[str] = []
        while number >= 0:
            number, name = parents[number]
            names.append(name)
        return Verdict(len(states), broken, tuple(reversed(names[:-1])))

    waiting = deque([0])
    while waiting:
        number = waiting.popleft()
        state = states[number]
        moves = False
        for name, kind, after in protocol.steps(state):
            moves = moves or kind is not Kind.FAULT
            found = numbers.get(after)
            if found is None:
                found = numbers[after] = len(states)
                states.append(after)
                parents.append((number, name if kind is Kind.STEP else f"{name} ({kind})"))
                into.append([])
                into_soon.append([])
                if after.broken:
                    return verdict(found, after.broken)
                waiting.append(found)
            if kind is not Kind.FAULT:
                into[found].append(number)
            if kind is Kind.STEP:
                into_soon[found].append(number)
        if not moves and state.records != done and dead_end < 0:
            dead_end = number
    goals = [number for number, state in enumerate(states) if state.records == done]
    reach, soon = _leads_to(goals, into), _leads_to(goals, into_soon)
    for number, state in enumerate(states):
        if not reach[number]:
            return verdict(number, Broken.LOST)
        if not (soon[number] or state.wiped):
            return verdict(number, Broken.STRANDED)
    if dead_end >= 0:
        return verdict(dead_end, Broken.STUCK)
    # No dead end and no circle: every way without faults ends with a record, however unfair the order of its steps.
    circle = _on_a_circle(into)
    return verdict(circle, Broken.ROUND_AND_ROUND) if circle >= 0 else Verdict(len(states), "", ())


def _leads_to(goals: list[int], into: list[list[int]]) -> bytearray:
    reached = bytearray(len(into))
    waiting = list(goals)
    for number in goals:
        reached[number] = 1
    while waiting:
        for before in into[waiting.pop()]:
            if not reached[before]:
                reached[before] = 1
                waiting.append(before)
    return reached


def _on_a_circle(into: list[list[int]]) -> int:
    """The first state that leads to itself, or only to such; -1 when there is none."""
    onwards = [0] * len(into)
    for befores in into:
        for before in befores:
            onwards[before] += 1
    waiting = [number for number, count in enumerate(onwards) if not count]
    while waiting:
        for before in into[waiting.pop()]:
            onwards[before] -= 1
            if not onwards[before]:
                waiting.append(before)
    return next((number for number, count in enumerate(onwards) if count), -1)
