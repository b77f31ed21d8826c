"""What the facts of a log-in amount to: a code of the catalogue and a sentence that quotes the site.

The mapping of what sites say: a wrong and an expired password and a locked account are `credentials_rejected`, since
the account is what must be looked after; a limit on attempts is `login_not_confirmed`, since nothing was judged yet;
proof of being human is `captcha_or_bot_wall`; an announced maintenance is `assertion_failed`, as the site is there but
shows something else, unless its status already says `http_5xx`.
"""

from shared.domain.evidence import Facts, LoginFinding
from shared.domain.site_words import Saying

_NOBODY_LOGGED_IN = "No credentials are stored for this partner, so nothing was submitted."


def login_verdict(facts: Facts) -> tuple[str, str] | None:
    """(code, message), or None when the log-in does not decide. That of a passed log-in is `success`."""
    speaker = facts.provider or "The site"
    said = f"{speaker} says: “{facts.said}”" if facts.said else ""
    match facts.login:
        case LoginFinding.IN:
            through = f" through {facts.provider}" if facts.provider else ""
            return "success", f"Logged in at {facts.site}{through} in {facts.duration_seconds:.1f} s."
        case LoginFinding.REFUSED:
            return _refused(facts, said)
        case LoginFinding.SECOND_FACTOR_REFUSED:
            return (
                "mfa_rejected",
                said or f"{facts.provider or facts.site} refused the second factor. {facts.detail}".rstrip(),
            )
        case LoginFinding.CAPTCHA:
            return "captcha_or_bot_wall", said or f"{facts.provider or facts.site} asks for proof of being human."
        case LoginFinding.MAINTENANCE:
            return _maintenance(facts)
        case LoginFinding.SESSION_LOST:
            return "session_not_kept", f"{facts.site} let us in, but asked to log in again right after."
        case LoginFinding.NO_CREDENTIALS:
            return "login_not_confirmed", _NOBODY_LOGGED_IN
        case LoginFinding.SSO_FAILED:
            return "sso_failed", _joined(facts.detail or "The identity provider did not let us through.", said)
        case LoginFinding.SSO_LOOP:
            return "sso_loop", _joined(
                facts.detail or "It went round between the site and its identity provider.", said
            )
    return None


def unconfirmed_verdict(facts: Facts) -> tuple[str, str] | None:
    """When nothing else explains it: neither a network error nor the status of a page."""
    if facts.login is LoginFinding.FORM_NOT_FOUND:
        where = facts.provider or facts.site
        return "login_form_not_found", f"No log-in form appeared at {where}. {facts.detail}".rstrip()
    if facts.login is LoginFinding.UNCONFIRMED:
        said = f"{facts.provider or 'The site'} says: “{facts.said}”" if facts.said else ""
        return "login_not_confirmed", _joined("Submitted, but neither in nor told why.", facts.detail, said)
    return None


def _refused(facts: Facts, said: str) -> tuple[str, str]:
    where = facts.provider or facts.site
    quoted = f": “{facts.said}”" if facts.said else f", says {where}."
    match facts.saying:
        case Saying.PASSWORD_EXPIRED:
            return "credentials_rejected", f"The password has expired{quoted}"
        case Saying.ACCOUNT_LOCKED:
            return "credentials_rejected", f"The account is locked{quoted}"
        case Saying.RATE_LIMITED:
            return "login_not_confirmed", f"The site limits the attempts to log in{quoted}"
    answered = f"answered {facts.http_status} to the log-in" if facts.http_status else "marks what was given as wrong"
    return "credentials_rejected", said or f"{where} {answered}."


def _maintenance(facts: Facts) -> tuple[str, str]:
    quoted = f": “{facts.said}”" if facts.said else "."
    if facts.http_status is not None and facts.http_status >= 500:
        return "http_5xx", f"The site is under maintenance ({facts.http_status}){quoted}"
    return "assertion_failed", f"The site is under maintenance{quoted}"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
