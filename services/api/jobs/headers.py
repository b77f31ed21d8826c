"""Which headers a callback may carry: names of RFC 9110, and none that frame the message or that Parakeet writes."""

import re
from collections.abc import Mapping

from shared.domain.callback import unknown_templates

MAX_HEADERS = 50
MAX_VALUE_LENGTH = 8_192
MAX_TOTAL_LENGTH = 32_768
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
# Latin-1 without control characters, tabs excepted.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
# How a message is framed and how long a connection lives is the client's business alone.
_FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def require_headers(headers: Mapping[str, str]) -> None:
    """Those that anybody may read. Raises ValueError."""
    _require_sendable(headers)
    for name, value in headers.items():
        if name.lower() in _SECRET:
            raise ValueError(f"{name} belongs into secret_headers, which are never shown")
        unknown = unknown_templates(value)
        if unknown:
            raise ValueError(f"{name} holds unknown templates: {', '.join(unknown)}")


def require_secret_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError, which never repeats a value, nor what may be a part of one."""
    _require_sendable(headers)
    for name, value in headers.items():
        if unknown_templates(value):
            raise ValueError(f"{name} holds an unknown template")


def _require_sendable(headers: Mapping[str, str]) -> None:
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"must hold at most {MAX_HEADERS} headers")
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_TOTAL_LENGTH:
        raise ValueError(f"must hold at most {MAX_TOTAL_LENGTH:,} characters in all")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("must name each header once; upper and lower case are the same")
    for name, value in headers.items():
        _require_name(name)
        if len(value) > MAX_VALUE_LENGTH or not _VALUE.fullmatch(value):
            raise ValueError(
                f"the value of {name} must be Latin-1 without control characters, at most {MAX_VALUE_LENGTH:,} long"
            )


def _require_name(name: str) -> None:
    # What is no name is not repeated: it may be a value that slipped into the wrong place.
    if not _NAME.fullmatch(name):
        raise ValueError("must hold header names only: letters, digits and !#$%&'*+-.^_`|~")
    if name.lower() in _FRAMING or name.lower().startswith("webhook-"):
        raise ValueError(f"{name} is written by Parakeet itself")
