"""What a log-in counts for at its account."""

import pytest

from shared.domain.account import LogIns, log_ins
from shared.domain.outcome import Outcome

NOTHING = LogIns(sent=False, accepted=False, refused=0)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], NOTHING),
        ([("login", "connection_refused")], NOTHING),
        ([("login", "session_not_created")], NOTHING),
        ([("sso", "missed")], NOTHING),
        ([("login", "success")], LogIns(True, True, 0)),
        ([("login", "slow")], LogIns(True, True, 0)),
        ([("login", "credentials_rejected")], LogIns(True, False, 1)),
        ([("login", "mfa_rejected")], LogIns(True, False, 1)),
        # Sent, but the site said neither yes nor no.
        ([("login", "check_timeout")], LogIns(True, False, 0)),
        ([("login", "browser_crashed")], LogIns(True, False, 0)),
        # One session, one log-in.
        ([("login", "credentials_rejected"), ("express_checkout", "credentials_rejected")], LogIns(True, False, 1)),
        ([("login", "credentials_rejected"), ("sso", "credentials_rejected")], LogIns(True, False, 2)),
        ([("login", "success"), ("sso", "credentials_rejected")], LogIns(True, True, 1)),
        ([("login", "credentials_rejected"), ("sso", "success")], LogIns(True, True, 0)),
    ],
)
def test_log_ins_of_one_attempt(verdicts: list[tuple[str, str]], expected: LogIns) -> None:
    assert log_ins((check, Outcome(code)) for check, code in verdicts) == expected
