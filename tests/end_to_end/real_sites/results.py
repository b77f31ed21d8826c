"""What one run found out of each application, and the table in the docs that is made of it.

`python -m tests.end_to_end.real_sites.results` writes the table, and ends with 1 when fewer than six applications ran.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.servers.process import CACHE, ROOT

RESULTS = CACHE / "real-sites-results"
PAGE = ROOT / "docs" / "real-sites.md"
ENOUGH = 6
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass(slots=True)
class SiteResult:
    """One application's line. The verdicts' keys say what was given: `right`, `wrong password`, `wrong code`."""

    name: str
    version: str
    mechanics: str
    skipped: str | None = None
    verdicts: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def save(self, slug: str) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{slug}.json").write_text(json.dumps(asdict(self)))


def saved() -> list[SiteResult]:
    return [SiteResult(**json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]


def table(results: list[SiteResult]) -> str:
    lines = [
        "| application | version | how one logs in | right | wrong password | wrong code | seconds, right |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        if result.skipped is not None:
            shown = [f"not run: {result.skipped}", "", "", ""]
        else:
            given = ("right", "wrong password", "wrong code")
            shown = [f"`{result.verdicts[key]}`" if key in result.verdicts else "" for key in given]
            shown.append(f"{result.seconds['right']:.1f}" if "right" in result.seconds else "")
        lines.append("| " + " | ".join([result.name, result.version, result.mechanics, *shown]) + " |")
    return "\n".join(lines)


def write(page: Path, results: list[SiteResult]) -> None:
    """Replaces what stands between the two marks of the page."""
    text = page.read_text()
    before, after = text.partition(_BEGIN)[0], text.partition(_END)[2]
    page.write_text(f"{before}{_BEGIN}\n{table(results)}\n{_END}{after}")


def main() -> int:
    results = saved()
    write(PAGE, results)
    ran = [result for result in results if result.skipped is None]
    print(f"{len(ran)} applications ran; {PAGE.relative_to(ROOT)} has the table.")
    if len(ran) < ENOUGH:
        print(f"At least {ENOUGH} have to run for this to prove anything.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
