"""What may be sent as the address of a page."""

from urllib.parse import urlsplit

MAX_URL_LENGTH = 2048
URL_PATTERN = r"^https?://[^/?#@\s]+"

# The ports that the Fetch standard blocks: no browser asks there, whoever listens.
_BLOCKED_PORTS = frozenset(
    (
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
        110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
        531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
        5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    )
)  # fmt: skip


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


def page_url(url: str) -> str:
    """As `http_url`, and one that a browser opens."""
    port = urlsplit(http_url(url)).port
    if port in _BLOCKED_PORTS:
        raise ValueError(f"must not name port {port}, which browsers refuse to open")
    return url
