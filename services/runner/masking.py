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
    r"|session|sid|csrf|xsrf|nonce|viewstate)"
)
_IN_QUERY = re.compile(rf"(?i)(?<=[?&;#])({_SECRET_NAME}=)[^&\s\"'<>#]+")
# The scheme's length is bounded, since an endless word would be searched again from each of its parts.
_IN_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{0,30}://)[^/\s\"'<>@]+@")
_FIELD = re.compile(r"(?i)<(?:input|meta)\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_ATTRIBUTE = re.compile(r"(?i)(?<![\w\-])([a-z_][\w\-:.]*)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)")
_NAMES_SECRET = re.compile(rf"(?i){_SECRET_NAME}")
# Nobody reads what is in a hidden field, so its name need only contain the word.
_NAMES_HIDDEN_SECRET = re.compile(r"(?i)token|csrf|xsrf|nonce|viewstate|session|secret")
# What a script writes as JSON, also where HTML or JSON has quoted it once more.
_QUOTE = r"(?:\\?\"|&quot;|&#34;|')"
_SECRET_KEY = r"[\w.\-]*(?:token|passw(?:or)?d|pwd|secret|api[_-]?key|authori[sz]ation|jwt|session[_-]?id|\botp|totp)"
_IN_JSON = re.compile(rf"(?i)({_QUOTE}{_SECRET_KEY}{_QUOTE}\s*:\s*{_QUOTE})[^\"'&\\<>\s]+(?={_QUOTE})")
_AUTHORIZATION = re.compile(r"(?i)\b((?:bearer|basic)\s+)(?=\S*[\d=])[A-Za-z0-9._~+/\-]{8,}=*")
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
# In what is logged, names stand without the marks of a URL; words that follow a colon are mostly prose.
_NO_NAME_BEFORE = r"(?<![\w.\-\[\]%])"
_LOGGED_PAIR = re.compile(rf"(?i){_NO_NAME_BEFORE}({_SECRET_NAME}=)(?:\"[^\"]*\"|'[^']*'|[^\s&;,\"'<>(){{}}\[\]]+)")
_LOGGED_ENTRY = re.compile(
    rf"(?i){_NO_NAME_BEFORE}({_SECRET_NAME}{_QUOTE}?\s*[:=]\s*{_QUOTE}?)"
    r"(?=[^\s\d]*\d)[^\s&;,\"'<>(){}\[\]\\]{6,}"
)
_NO_TOKEN = re.compile(r"[A-Za-z]+|\d+|[\d.:,/-]+")
_LEAST_LEARNED = 6
_LEAST_IN_FIELD = 8
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

    def logged(self, text: str) -> str:
        """As `text`, and without what is named a secret where a script writes names and values in its own way."""
        masked = _LOGGED_PAIR.sub(rf"\1{MASK}", self.text(text))
        return _LOGGED_ENTRY.sub(rf"\1{MASK}", masked)

    def source(self, page_source: str) -> str:
        """As `text`, and without the values of password fields and of fields that hold tokens, which are learned."""
        found = list[str]()
        without = _FIELD.sub(lambda match: _emptied(match.group(), found), page_source)
        self.learn(value for value in found if is_token(value, _LEAST_IN_FIELD))
        return self.text(without)

    def _compile(self) -> None:
        self.unseen = _longest_first(self._secrets)
        spellings = _longest_first(self._secrets | self._names)
        self.longest = len(spellings[0]) if spellings else 0
        self._known = re.compile("|".join(re.escape(form) for form in spellings)) if spellings else None


def secrets_in_query(url: str) -> list[str]:
    """The values of parameters that are secret by their names, in the clear."""
    return [unquote_plus(match.group().partition("=")[2]) for match in _IN_QUERY.finditer(url)]


def is_token(value: str, least: int = 16) -> bool:
    """Long, and neither a word nor a number: what nobody reads, so that masking it garbles nothing."""
    return len(value) >= least and not _NO_TOKEN.fullmatch(value) and any(character.isdigit() for character in value)


def _emptied(field: str, found: list[str]) -> str:
    """An `<input>` or `<meta>`, masked where it holds a secret, which is added to `found`."""
    given = {name.lower(): value.strip("\"'") for name, value in _ATTRIBUTE.findall(field)}
    names = [given.get("name", ""), given.get("id", "")]
    if field[1:5].lower() == "meta":
        holder, secret = "content", any(map(_NAMES_HIDDEN_SECRET.search, names))
    else:
        hidden = given.get("type", "").lower() == "hidden"
        secret = given.get("type", "").lower() == "password" or any(map(_NAMES_SECRET.fullmatch, names))
        holder, secret = "value", secret or (hidden and any(map(_NAMES_HIDDEN_SECRET.search, names)))
    if not secret:
        return field
    found.append(html.unescape(given.get(holder, "")))

    def mask(match: re.Match[str]) -> str:
        is_holder = match[1].lower() == holder
        return f'{match.group()[: match.start(2) - match.start()]}"{MASK}"' if is_holder else match.group()

    return _ATTRIBUTE.sub(mask, field)


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
