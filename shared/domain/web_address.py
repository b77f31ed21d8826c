"""What may be sent as the address of a page."""

from urllib.parse import urlsplit

MAX_URL_LENGTH = 2048
URL_PATTERN = r"^https?://[^/?#@\s]+"


def http_url(url: str) -> str:
    """The URL as it was given. Raises ValueError, whose text never repeats it: it may hold a password, which is one
    reason to refuse it.
    """
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        raise ValueError("is not a valid URL") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must start with http:// or https://")
    if not parts.hostname or not port_is_valid:
        raise ValueError("must name a host")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if any(character.isspace() or not character.isprintable() for character in url) or "\\" in url:
        raise ValueError("must not hold blanks, backslashes or control characters")
    return url
