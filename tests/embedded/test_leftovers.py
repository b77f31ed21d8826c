"""Only what a dead process left behind is ended, and never an innocent one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.embedded import leftovers

Process = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def record_without_owner(folder: Path, process: Process) -> Path:
    """As it looks when the recording process was killed: nobody has the owner's id and start time any more."""
    leftovers.record(folder, process.pid)
    path = folder / f"{process.pid}.json"
    change(path, owner_started=0)
    return path


def test_the_group_of_a_dead_owner_is_ended(tmp_path: Path, sleeper: Process) -> None:
    path = record_without_owner(tmp_path, sleeper)
    assert leftovers.reap(tmp_path) == [sleeper.pid]
    assert sleeper.wait() < 0
    assert not path.exists()


def test_children_are_ended_although_their_leader_is_gone(tmp_path: Path) -> None:
    script = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        child = int(leader.stdout.readline())
        record_without_owner(tmp_path, leader)
        leader.kill()
    assert leftovers.reap(tmp_path) == [child]
    assert leftovers.members(leader.pid) == []


def test_the_group_of_a_living_owner_is_left_alone(tmp_path: Path, sleeper: Process) -> None:
    leftovers.record(tmp_path, sleeper.pid)
    assert leftovers.reap(tmp_path) == []
    assert sleeper.poll() is None


@pytest.mark.parametrize("changes", [{"started": 1}, {"boot": "another"}], ids=["reused id", "before the last boot"])
def test_a_process_that_got_the_id_later_is_left_alone(
    tmp_path: Path, sleeper: Process, changes: dict[str, object]
) -> None:
    path = record_without_owner(tmp_path, sleeper)
    change(path, **changes)
    assert leftovers.reap(tmp_path) == []
    assert sleeper.poll() is None
    assert not path.exists()


def test_an_unreadable_record_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{")
    assert leftovers.reap(tmp_path) == []
    assert os.listdir(tmp_path) == []
