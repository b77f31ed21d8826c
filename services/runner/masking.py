"""Takes secrets out of everything that leaves an attempt: messages, step details, page source, URLs, tracebacks."""

import html
import json
import re
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import quote, quote_plus, unquote_plus

from shared.domain.totp import secrets_of

MASK = "***"

_SECRET_NAME = (
    r"[\w.\-\[\]%]*(?:token|code|passw(?:or)?d|pwd|secret|key|signature|sig|auth|assertion|samlresponse|ticket"
    r"|session|sid)"
)
_IN_QUERY = re.compile(rf"(?i)(?<=[?&;#])({_SECRET_NAME}=)[^&\s\"'<>#]+")
# The scheme's length is bounded, since an endless word would be searched again from each of its parts.
_IN_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{0,30}://)[^/\s\"'<>@]+@")
_NAMED_FIELD = re.compile(rf"(?i)<input\b[^>]*\b(?:name|id)\s*=\s*[\"']?{_SECRET_NAME}[\"'\s>][^>]*>")
_PASSWORD_FIELD = re.compile(r"(?i)<input\b[^>]*\btype\s*=\s*[\"']?password\b[^>]*>")
_FIELD_VALUE = re.compile(r"(?i)(\bvalue\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s>]+)")
# What a script writes as JSON, also where HTML or JSON has quoted it once more.
_QUOTE = r"(?:\\?\"|&quot;|&#34;|')"
_SECRET_KEY = r"[\w.\-]*(?:token|passw(?:or)?d|pwd|secret|api[_-]?key|authori[sz]ation|jwt|session[_-]?id|\botp|totp)"
_IN_JSON = re.compile(rf"(?i)({_QUOTE}{_SECRET_KEY}{_QUOTE}\s*:\s*{_QUOTE})[^\"'&\\<>\s]+(?={_QUOTE})")
_AUTHORIZATION = re.compile(r"(?i)\b((?:bearer|basic)\s+)(?=\S*[\d=])[A-Za-z0-9._~+/\-]{8,}=*")
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
_LEAST_LEARNED = 6
_MOST_LEARNED = 300


class LogIn(Protocol):
    """What a log-in holds, whichever way it is made."""

    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def totp_secret(self) -> str | None: ...


class Mask:
    """Replaces the secrets of one attempt by ***, in the clear and as URLs, HTML and JSON spell them.

    `names` are taken out of texts only; what else is secret must not be seen in a picture either: `unseen`. `longest`
    is the length of the longest spelling, in characters.
    """

    def __init__(self, secrets: Iterable[str], names: Iterable[str] = ()) -> None:
        self._secrets = {secret for secret in secrets if secret}
        self._names = {name for name in names if name}
        self._learned = 0
        self._compile()

    @classmethod
    def of(cls, *log_ins: LogIn) -> "Mask":
        """A user name that is an ordinary word is no secret: masking "user" would garble what the site says."""
        names = (each.username for each in log_ins if re.search(r"[^A-Za-z]", each.username))
        codes = (form for each in log_ins if each.totp_secret for form in secrets_of(each.totp_secret))
        return cls((*(each.password for each in log_ins), *codes), names)

    def add(self, *secrets: str) -> None:
        """Secrets that are known only later, such as one-time codes."""
        new = {secret for secret in secrets if secret} - self._secrets
        if new:
            self._secrets |= new
            self._compile()

    def learn(self, secrets: Iterable[str]) -> None:
        """Tokens and cookies that were heard: those that are long enough to be told from words, and not too many."""
        new = sorted({secret for secret in secrets if len(secret) >= _LEAST_LEARNED} - self._secrets)
        new = new[: _MOST_LEARNED - self._learned]
        self._learned += len(new)
        self.add(*new)

    def text(self, text: str) -> str:
        masked = self._known.sub(MASK, text) if self._known else text
        if "@" in masked:
            masked = _IN_USERINFO.sub(rf"\1{MASK}@", masked)
        if "=" in masked:
            masked = _IN_QUERY.sub(rf"\1{MASK}", masked)
        if ":" in masked:
            masked = _IN_JSON.sub(rf"\1{MASK}", masked)
        masked = _AUTHORIZATION.sub(rf"\1{MASK}", masked)
        return _JSON_WEB_TOKEN.sub(MASK, masked) if "eyJ" in masked else masked

    def beginning(self, text: str, most: int) -> str:
        """At most so many characters, masked before they are cut, so that no half of a secret is left at the end."""
        return self.text(text)[:most]

    def source(self, page_source: str) -> str:
        """As `text`, and without the values of password fields and of fields that hold tokens."""
        for field in (_PASSWORD_FIELD, _NAMED_FIELD):
            page_source = field.sub(lambda match: _FIELD_VALUE.sub(rf'\1"{MASK}"', match.group()), page_source)
        return self.text(page_source)

    def _compile(self) -> None:
        self.unseen = _longest_first(self._secrets)
        spellings = _longest_first(self._secrets | self._names)
        self.longest = len(spellings[0]) if spellings else 0
        self._known = re.compile("|".join(re.escape(form) for form in spellings)) if spellings else None


def secrets_in_query(url: str) -> list[str]:
    """The values of parameters that are secret by their names, in the clear."""
    return [unquote_plus(match.group().partition("=")[2]) for match in _IN_QUERY.finditer(url)]


def _longest_first(secrets: Iterable[str]) -> list[str]:
    return sorted({form for secret in secrets for form in _spellings(secret)}, key=len, reverse=True)


def _spellings(secret: str) -> set[str]:
    percent = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    lower_percent = {re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), form) for form in percent}
    escaped = html.escape(secret)
    entities = {escaped, html.escape(secret, quote=False)}
    entities |= {escaped.replace("&#x27;", other) for other in ("&#39;", "&#039;", "&apos;", "'")}
    quoted = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    quoted |= {form.replace("/", "\\/") for form in quoted}
    quoted |= {form.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") for form in quoted}
    return {secret} | percent | lower_percent | entities | quoted
