"""Whose trouble it is, in one sentence, from how the other checks are doing: partner x browser x node x time.

A failure that one thing has in common points at that thing: all browsers of one partner at the partner, one browser
across partners at the browser, one node at the node, many partners alike and at once at ourselves.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.domain.outcome import CODES_THE_NETWORK_MAY_CAUSE, OutcomeClass
from shared.domain.state import State

_BAD = (OutcomeClass.PARTNER_FAILURE, OutcomeClass.INFRASTRUCTURE_FAILURE)
# Of all that have a thing in common so many must fail, and of the others at most so many, for it to be that thing.
_NEARLY_ALL, _HARDLY_ANY = 0.8, 1 / 3
# So many partners, and so large a part of all, failing alike within this time of each other are no coincidence.
_MANY_PARTNERS, _MANY_OF_ALL, _AT_ONCE = 3, 0.5, timedelta(minutes=15)

Key = tuple[str, str, str]


class Culprit(StrEnum):
    PARTNER = "partner"
    BROWSER = "browser"
    NODE = "node"
    NETWORK = "network"
    OURS = "ours"
    PAIRING = "pairing"


@dataclass(frozen=True, slots=True)
class Cell:
    """One check of a partner in a browser: its state, and its newest result that ran (None: none did lately).

    `since` is that of the state, which trouble of ours never changes: `trouble_since` is when that began, by the newest
    results that are all alike. `node` is the Grid's node that it ran on. One that is not `active` (paused, switched
    off) tells nothing of others.
    """

    partner: str
    partner_name: str
    browser: str
    check: str
    state: State
    since: datetime | None
    code: str | None
    outcome_class: OutcomeClass | None
    at: datetime | None
    node: str | None = None
    active: bool = True
    trouble_since: datetime | None = None

    @property
    def key(self) -> Key:
        return self.partner, self.browser, self.check

    @property
    def bad(self) -> bool:
        return self.outcome_class in _BAD

    @property
    def ours(self) -> bool:
        return self.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE

    @property
    def kind(self) -> str:
        """Failures of one kind can have one cause: what the network or our machinery may cause, or the same code."""
        return "network" if self.ours or self.code in CODES_THE_NETWORK_MAY_CAUSE else self.code or ""

    @property
    def troubled(self) -> bool:
        return self.state is State.FAILING or self.ours

    @property
    def began(self) -> datetime | None:
        """Since when it fails, as far as this cell knows."""
        if self.ours:
            return self.trouble_since or self.at
        return self.since if self.state is State.FAILING else self.at


@dataclass(frozen=True, slots=True)
class Diagnosis:
    culprit: Culprit
    sentence: str


def diagnose(cells: Iterable[Cell], now: datetime) -> dict[Key, Diagnosis]:
    """One for each check that is failing, or whose newest result is an infrastructure failure."""
    matrix = _Matrix(list(cells), now)
    return {cell.key: matrix.judge(cell) for cell in matrix.cells if cell.troubled}


class _Matrix:
    """What the cells have in common, found once for all of them: there may be thousands."""

    def __init__(self, cells: Sequence[Cell], now: datetime) -> None:
        self.cells = cells
        self._now = now
        self._told = [cell for cell in cells if cell.active and cell.outcome_class is not None]
        self._by_partner = _grouped(self._told, lambda cell: cell.partner)
        by_browser = _grouped(self._told, lambda cell: cell.browser)
        by_node = _grouped([cell for cell in self._told if cell.node], lambda cell: cell.node or "")
        self._partners = {browser: {cell.partner for cell in told} for browser, told in by_browser.items()}
        self._failing = {browser: {cell.partner for cell in told if cell.bad} for browser, told in by_browser.items()}
        self._browsers = {browser: self._browser(browser, told) for browser, told in by_browser.items()}
        self._nodes = {node: self._node(node, told, by_node) for node, told in by_node.items()}
        self._bad: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for cell in self._told:
            if cell.bad and cell.began is not None:
                insort(self._bad[cell.kind], (cell.began, cell.partner))
        self._at_once: dict[tuple[str, datetime], Diagnosis | None] = {}

    def judge(self, cell: Cell) -> Diagnosis:
        """The first that fits, from what is surest and narrowest to what is left."""
        shared = (self._nodes.get(cell.node or "") or self._browsers.get(cell.browser)) if cell.bad else None
        return (
            self._network(cell)
            or shared
            or self._many_at_once(cell)
            or (self._only_ours(cell) if cell.ours else self._partner(cell))
        )

    def _network(self, cell: Cell) -> Diagnosis | None:
        if cell.code != "network_unreachable":
            return None
        same = [other for other in self._told if other.code == cell.code] or [cell]
        counted = f"{len(same)} of {max(len(self._told), 1)} checks"
        words = f"Our own control page failed as well, in {counted}{self._since(same)}: it is our network."
        return Diagnosis(Culprit.NETWORK, words)

    def _node(self, node: str, told: Sequence[Cell], by_node: Mapping[str, Sequence[Cell]]) -> Diagnosis | None:
        bad = [cell for cell in told if cell.bad]
        others = [cell.bad for name, cells in by_node.items() if name != node for cell in cells]
        # With one partner on it, it may as well be the partner.
        if len({cell.partner for cell in bad}) < 2 or not others:
            return None
        if len(bad) < _NEARLY_ALL * len(told) or sum(others) > _HARDLY_ANY * len(others):
            return None
        here = f"Fails in {len(bad)} of {len(told)} checks on the node {node}{self._since(bad)}"
        return Diagnosis(Culprit.NODE, f"{here}, in {sum(others)} of {len(others)} on others: it is that node.")

    def _browser(self, browser: str, told: Sequence[Cell]) -> Diagnosis | None:
        partners, failing = self._partners[browser], self._failing[browser]
        if len(failing) < 2 or len(failing) < _NEARLY_ALL * len(partners):
            return None
        elsewhere = [cell for partner in failing for cell in self._by_partner[partner] if cell.browser != browser]
        compared = {cell.partner for cell in elsewhere}
        well = compared - {cell.partner for cell in elsewhere if cell.bad}
        if not compared or len(compared - well) > _HARDLY_ANY * len(compared):
            return None
        since = self._since(cell for cell in told if cell.bad)
        here = f"Fails for {len(failing)} of {len(partners)} partners in {browser}{since}"
        others = f"{len(well)} of {len(compared)} of them work in other browsers"
        return Diagnosis(Culprit.BROWSER, f"{here}, and {others}: it is {browser}.")

    def _many_at_once(self, cell: Cell) -> Diagnosis | None:
        if cell.began is None:
            return None
        minute = cell.began.replace(second=0, microsecond=0)
        if (cell.kind, minute) not in self._at_once:
            self._at_once[cell.kind, minute] = self._around(minute, self._bad.get(cell.kind, []))
        return self._at_once[cell.kind, minute]

    def _around(self, moment: datetime, alike: Sequence[tuple[datetime, str]]) -> Diagnosis | None:
        first = bisect_left(alike, (moment - _AT_ONCE, ""))
        last = bisect_left(alike, (moment + _AT_ONCE + timedelta(minutes=1), ""))
        together = alike[first:last]
        failing = {partner for _, partner in together}
        if len(failing) < _MANY_PARTNERS or len(failing) < _MANY_OF_ALL * len(self._by_partner):
            return None
        counted = f"Fails for {len(failing)} of {len(self._by_partner)} partners{self._moment(together[0][0])}"
        return Diagnosis(Culprit.OURS, f"{counted}: so many at once, so it is likely our side.")

    def _only_ours(self, cell: Cell) -> Diagnosis:
        """An infrastructure failure that has nothing in common with others but, perhaps, the partner."""
        own = self._own(cell)
        same = [other for other in own if other.ours]
        if len(same) > 1 and len(same) == len(own):
            counted = f"The trouble is ours, but in {len(same)} of {len(own)} browsers and only here{self._since(same)}"
            blamed = f"the pages of {cell.partner_name} may be what our browsers fail at"
            return Diagnosis(Culprit.OURS, f"{counted}: {blamed}.")
        counted = f"Ended in trouble of ours in {len(same) or 1} of {len(own)} browsers{self._since([cell])}"
        return Diagnosis(Culprit.OURS, f"{counted}: it is our side, not {_possessive(cell.partner_name)}.")

    def _partner(self, cell: Cell) -> Diagnosis:
        own, name = self._own(cell), cell.partner_name
        failing = [other for other in own if other.bad or other.state is State.FAILING]
        others = self._partners.get(cell.browser, set()) - {cell.partner}
        well = others - self._failing.get(cell.browser, set())
        compared = f"{len(well)} of {len(others)} other partners work in {cell.browser}"
        counted = f"Fails in {len(failing)} of {len(own)} browsers{self._since(failing)}"
        if len(own) == 1:
            alone = f"Fails in its only browser{self._since(failing)}"
            told = f", while {compared}" if others else ", and there is no other partner to compare with"
            if others and not well:
                told = f", and all {len(others)} other partners there too, in other ways or at other times"
            return Diagnosis(Culprit.PARTNER, f"{alone}{told}: it is most likely {_possessive(name)} side.")
        if len(failing) == len(own):
            return Diagnosis(Culprit.PARTNER, f"{counted}: it is {_possessive(name)} side.")
        if len(failing) > 1:
            return Diagnosis(Culprit.PARTNER, f"{counted}: it is most likely {_possessive(name)} side.")
        told = f", and {compared}" if others else ""
        return Diagnosis(Culprit.PAIRING, f"{counted}{told}: it is this pairing, {name} in {cell.browser}.")

    def _own(self, cell: Cell) -> list[Cell]:
        """The same check of the same partner in all its browsers, this one always among them."""
        others = [other for other in self._by_partner.get(cell.partner, []) if other.check == cell.check]
        return others if cell in others else [*others, cell]

    def _since(self, cells: Iterable[Cell]) -> str:
        return self._moment(min((cell.began for cell in cells if cell.began is not None), default=None))

    def _moment(self, moment: datetime | None) -> str:
        if moment is None:
            return ""
        began = moment.astimezone(UTC)
        today = began.date() == self._now.astimezone(UTC).date()
        return f" since {began:%H:%M} UTC" if today else f" since {began:%Y-%m-%d %H:%M} UTC"


def _grouped(cells: Iterable[Cell], key: Callable[[Cell], str]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        found[key(cell)].append(cell)
    return dict(found)


def _possessive(name: str) -> str:
    return f"{name}’" if name.endswith("s") else f"{name}’s"
