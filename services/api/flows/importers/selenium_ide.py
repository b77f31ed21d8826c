"""Reads a project of Selenium IDE (`.side`): one of its tests, with the tests that it runs."""

import re
from typing import Any
from urllib.parse import urljoin

from services.api.flows.importers.draft import Draft
from services.api.flows.importers.ide_commands import COMMANDS, CONTROL_FLOW, NOT_NEEDED, Command, Unusable

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_MOST_NESTED = 5
_MOST_CHARACTERS = 10_000


class NoSuchTest(Exception):
    """`names` are those that there are."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def read_selenium_project(project: dict[str, Any], test: str | None) -> Draft:
    """Whatever can't be read is left out, and told. Raises `NoSuchTest`."""
    tests = [each for each in project.get("tests") or () if isinstance(each, dict)]
    chosen = next((each for each in tests if test is None or each.get("name") == test), None)
    if chosen is None:
        raise NoSuchTest([str(each.get("name")) for each in tests])
    reader = _Reader(str(project.get("url") or ""), tests)
    reader.read(chosen, "", 0)
    return reader.draft


class _Reader:
    def __init__(self, base_url: str, tests: list[dict[str, Any]]) -> None:
        self.draft = Draft()
        self._base_url = base_url
        self._tests = {str(test.get("name")): test for test in tests}
        self._variables: dict[str, str] = {}

    def read(self, test: dict[str, Any], within: str, depth: int) -> None:
        commands = test.get("commands")
        given = [each for each in commands if isinstance(each, dict)] if isinstance(commands, list) else []
        for number, each in enumerate(given, 1):
            name = str(each.get("command") or "")[:60]
            recorded = f"{within}command {number}: {name}"
            if self.draft.is_full(recorded):
                return
            self._read(recorded, name, each, depth)

    def _read(self, recorded: str, name: str, given: dict[str, Any], depth: int) -> None:
        target, value = str(given.get("target") or ""), str(given.get("value") or "")
        if name.startswith("//") or not name:
            self.draft.drop(recorded, "it is switched off")
        elif name in NOT_NEEDED:
            self.draft.drop(recorded, NOT_NEEDED[name])
        elif name == "run":
            self._run(recorded, target, depth)
        elif name == "store":
            self._store(recorded, value, self._filled_in(target))
        elif name in CONTROL_FLOW:
            self.draft.leave_out(recorded, "conditions and loops are not run")
        elif name not in COMMANDS:
            self.draft.leave_out(recorded, "scripts are not run" if "cript" in name else "this command is not known")
        else:
            self._translate(recorded, name, target, value, given.get("targets"))

    def _store(self, recorded: str, name: str, value: str | None) -> None:
        if value is None:
            self.draft.leave_out(recorded, "its value is not known, or too long")
            return
        self._variables[name] = value
        self.draft.drop(recorded, "its value is written where it is used")

    def _translate(self, recorded: str, name: str, target: str, value: str, targets: Any) -> None:
        filled = [self._filled_in(target), self._filled_in(value)]
        if None in filled:
            self.draft.leave_out(recorded, "it uses a variable of which no value is stored before")
            return
        given = targets if isinstance(targets, list) else []
        others = [each[0] for each in given if isinstance(each, list) and each and isinstance(each[0], str)]
        command = Command(str(filled[0]), str(filled[1]), [self._filled_in(each) or "" for each in others])
        try:
            if name == "open" and self._base_url:
                command.target = _joined(self._base_url, command.target)
            steps, changed = COMMANDS[name](command)
        except Unusable as reason:
            self.draft.leave_out(recorded, str(reason))
            return
        unread = "" if targets is None or isinstance(targets, list) else "its other targets can't be read"
        self.draft.keep(recorded, *steps, changed="; ".join(each for each in (changed, unread) if each))

    def _run(self, recorded: str, name: str, depth: int) -> None:
        test = self._tests.get(name)
        if test is None or depth >= _MOST_NESTED:
            self.draft.leave_out(recorded, "there is no such test" if test is None else "it runs too deep")
            return
        self.draft.drop(recorded, "the commands of that test stand in its place")
        self.read(test, f"{recorded}, ", depth + 1)

    def _filled_in(self, text: str) -> str | None:
        """With the variables in their places; None when one is not known, or they are too long. Keys stay."""
        names = {name for name in _VARIABLE.findall(text) if not name.startswith("KEY_")}
        # One that is stored twice in itself, again and again, would soon fill the memory.
        if sum(len(self._variables.get(name, "")) for name in _VARIABLE.findall(text)) > _MOST_CHARACTERS:
            return None
        if not names <= self._variables.keys():
            return None if names - self._variables.keys() - {"root"} else text
        return _VARIABLE.sub(lambda match: self._variables.get(match.group(1), match.group()), text)


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:
        raise Unusable("its URL can't be read") from None
