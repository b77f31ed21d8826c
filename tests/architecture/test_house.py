"""The rules of the house that no ready-made tool checks."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.architecture.settings import environment_names
from tests.servers.process import ROOT

LINE_CAP = 300
CAPPED = {".py", ".js", ".css", ".html"}
FOLDERS = ("services", "shared", "migrations", "examples", "tests", "bench")
SHAPELESS_NAMES = {"utils", "util", "common", "helpers", "helper", "types", "constants", "misc"}
CLOCK_CALLS = {
    "now",
    "utcnow",
    "today",
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
}
CLOCKS = {"datetime", "date", "time"}
# Made by others and shipped as they are.
FOREIGN = re.compile(r"services/api/docs_assets/swagger-ui.*")


def sources() -> list[Path]:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in CAPPED]
    return [
        path for path in files if "__pycache__" not in path.parts and not FOREIGN.match(str(path.relative_to(ROOT)))
    ]


def test_no_source_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {path: length for path, length in lengths.items() if length > LINE_CAP} == {}


def test_every_module_has_a_name_of_its_own() -> None:
    assert [path for path in sources() if path.stem in SHAPELESS_NAMES or path.parent.name in SHAPELESS_NAMES] == []


@pytest.mark.parametrize("path", sorted((ROOT / "shared/domain").rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_never_reads_the_clock(path: Path) -> None:
    assert list(clock_readings(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "time.time()",
        "time.monotonic()",
        "import time",
        "from time import monotonic",
    ],
)
def test_readings_of_the_clock_are_recognised(source: str) -> None:
    assert list(clock_readings(ast.parse(source)))


@pytest.mark.parametrize("source", ["due.time()", "datetime(2026, 1, 1)", "from datetime import datetime, time"])
def test_other_uses_of_time_are_not(source: str) -> None:
    assert not list(clock_readings(ast.parse(source)))


def clock_readings(tree: ast.AST) -> list[str]:
    """Calls such as `datetime.now()` or `time.monotonic()`; importing the module `time` has no other purpose."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [f"line {node.lineno}: import time" for name in node.names if name.name == "time"]
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found.append(f"line {node.lineno}: from time import")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in CLOCKS:
                found.append(f"line {node.lineno}: {name}.{node.func.attr}()")
    return found


def test_every_setting_stands_in_the_example_and_the_example_holds_no_other() -> None:
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^#?(PARAKEET_\w+)=", example, re.MULTILINE)) == environment_names()


def test_every_line_of_the_example_is_explained() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"#?[A-Z_]+=", line):
            assert before.startswith("# "), line


def test_no_tracked_file_names_a_registry() -> None:
    """Which index packages come from is the machine's business."""
    files = [ROOT / name for name in ("justfile", "justw", "Dockerfile", "pyproject.toml")] + [
        *ROOT.glob("requirements*.txt")
    ]
    assert [
        path.name for path in files if re.search(r"index-url|find-links|https?://\S*(pypi|npmjs)", path.read_text())
    ] == []
