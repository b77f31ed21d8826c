"""What is read and kept of an answer: little, free of secrets, and fit for PostgreSQL."""

import codecs
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache
from typing import Any

from aiohttp import ClientResponse, StreamReader, hdrs
from multidict import istr

from services.runner.masking import Mask

KEPT_BYTES = 16 * 1024
SEARCHED_BYTES = 1024 * 1024
KEPT_HEADERS = ("content-type", "content-length", "retry-after", "server", "date", "location")
_KEPT_HEADERS = tuple((name, istr(name)) for name in KEPT_HEADERS)
_HEADER_LENGTH = 2000

# Python knows more codecs than texts are sent in; some of them take quadratic time.
_CHARSET = re.compile(r"utf-?(8|16|32)|iso-?8859|latin|ascii|cp\d|koi8|gb|big5|euc|shift")
_NOTHING_SECRET = Mask(())


class LazyMask:
    """As Mask, but builds it only for a text that could hold a secret.

    Every spelling leaves letters and digits as they are. So a text without the longest run of them in a secret is free
    of that secret.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._runs = [_longest_run(secret) for secret in self._secrets]

    @cached_property
    def _mask(self) -> Mask:
        return Mask(self._secrets)

    def text(self, text: str) -> str:
        for run in self._runs:
            if run in text:
                return self._mask.text(text)
        return _NOTHING_SECRET.text(text)

    def beginning(self, text: str) -> str:
        """As `text`, for one that was cut off, perhaps within a secret: then its end goes as well."""
        return self.text(text)[: -self._mask.longest or None]


@lru_cache(maxsize=1024)
def _longest_run(secret: str) -> str:
    return max(re.findall(r"[A-Za-z0-9]+", secret), key=len, default="")


async def read_body(content: StreamReader, limit: int, into: bytearray) -> bool:
    """At most `limit` bytes, decompressed, which also stay when the rest fails to come. True when there is more."""
    while chunk := await content.readany():
        room = limit - len(into)
        into += chunk if len(chunk) <= room else chunk[:room]
        if len(chunk) > room:
            return True
    return False


def charset_of(response: ClientResponse) -> str | None:
    """As the answer names it."""
    return response.charset if "charset" in response.headers.get(hdrs.CONTENT_TYPE, "").lower() else None


def decoded(body: bytes | bytearray, charset: str | None) -> str:
    """Never raises: what cannot be decoded is replaced."""
    if charset is None or charset.lower() == "utf-8" or not _CHARSET.match(charset.lower()):
        return body.decode("utf-8", "replace")
    try:
        return body.decode(codecs.lookup(charset).name, "replace")
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace")


def storable(text: str) -> str:
    """Without NUL and lone surrogates, which PostgreSQL refuses."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def kept(
    response: ClientResponse,
    body: bytearray,
    truncated: bool,
    redirects: list[str],
    address: str | None,
    mask: LazyMask,
) -> dict[str, Any]:
    """`body` is what was read, of which no more than KEPT_BYTES are kept."""
    cut = truncated or len(body) > KEPT_BYTES
    text = storable(decoded(body[:KEPT_BYTES], charset_of(response)))
    headers = response.headers
    return {
        "status": response.status,
        "reason": mask.text(storable(response.reason or ""))[:200],
        "headers": {
            name: mask.text(storable(value))[:_HEADER_LENGTH]
            for name, key in _KEPT_HEADERS
            if (value := headers.get(key)) is not None
        },
        "body": mask.beginning(text) if cut else mask.text(text),
        "truncated": cut,
        "bytes": len(body),
        "url": mask.text(str(response.url)),
        "redirects": [mask.text(url) for url in redirects],
        "address": address,
    }


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """From a Retry-After header in either form, never negative; None when there is none that can be read."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
