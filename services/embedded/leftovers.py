"""Ends what a killed process left behind: the process groups it wrote down, and nobody else's.

A browser driver that is killed orphans its browsers, so it is the group that must end. Process ids are reused, so a
record holds the boot, and the start time of the group's leader and of the process that owned it.
"""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    group: int
    session: int
    started: int


@dataclass(frozen=True, slots=True)
class _Record:
    boot: str
    group: int
    started: int
    owner: int
    owner_started: int


def members(group: int) -> list[int]:
    """The live processes of a process group, without those that ended and only wait to be collected."""
    return [
        pid
        for pid, stat in _every_process()
        if stat.group == group and stat.session == group and stat.state not in "ZX"
    ]


def record(folder: Path, group: int) -> None:
    """Write down a process group that must not outlive us."""
    leader, owner = _stat(group), _stat(os.getpid())
    if leader is None or owner is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    entry = _Record(_boot(), group, leader.started, os.getpid(), owner.started)
    (folder / f"{group}.json").write_text(json.dumps(asdict(entry)))


def forget(folder: Path, group: int) -> None:
    """The group is gone."""
    (folder / f"{group}.json").unlink(missing_ok=True)


def reap(folder: Path) -> list[int]:
    """End the recorded groups whose owner is gone. Returns the processes that were ended."""
    ended: list[int] = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            entry = _Record(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            path.unlink(missing_ok=True)
            continue
        if entry.boot == _boot():
            owner = _stat(entry.owner)
            if owner is not None and owner.started == entry.owner_started and owner.state not in "ZX":
                continue
            ended += _end_group(entry)
        path.unlink(missing_ok=True)
    return ended


def _end_group(entry: _Record) -> list[int]:
    leader = _stat(entry.group)
    if leader is not None and leader.started != entry.started:
        return []  # The id was given to somebody else since.
    ended: list[int] = []
    deadline = time.monotonic() + 10
    while (alive := members(entry.group)) and time.monotonic() < deadline:
        for pid in alive:
            stat = _stat(pid)
            if stat is not None and stat.started >= entry.started:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    ended.append(pid)
        time.sleep(0.01)
    return sorted(set(ended))


def _every_process() -> list[tuple[int, _Stat]]:
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()] if PROC.is_dir() else []
    return [(pid, stat) for pid in pids if (stat := _stat(pid)) is not None]


def _stat(pid: int) -> _Stat | None:
    try:
        # The name in parentheses may itself hold blanks and parentheses; the numbers start after the last one.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _Stat(state=fields[0], group=int(fields[2]), session=int(fields[3]), started=int(fields[19]))


def _boot() -> str:
    with suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""
