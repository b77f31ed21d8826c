"""docs/outcomes.md: every code of the catalogue once, with its retry rule and a test that exists."""

import re
from pathlib import Path

import pytest

from shared.domain.outcome import CATALOGUE, OutcomeClass
from shared.domain.retry import NEVER_REPEATED

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `(\w+)` \| .+ \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "outcomes.md").read_text())
# Nothing can bring it about before there are maintenance windows.
WITHOUT_TEST = {"maintenance"}


def test_every_code_has_one_row() -> None:
    assert sorted(code for code, _, _ in ROWS) == sorted(CATALOGUE)


@pytest.mark.parametrize(("code", "retried", "test"), ROWS)
def test_a_row_names_a_test_and_the_retry_rule(code: str, retried: str, test: str) -> None:
    path, _, name = test.strip("`").partition("::")
    if code not in WITHOUT_TEST:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), test
    if CATALOGUE[code].outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE:
        assert retried == "our budget"
    if CATALOGUE[code].outcome_class is OutcomeClass.PARTNER_FAILURE:
        assert (retried == "never") == (code in NEVER_REPEATED)
