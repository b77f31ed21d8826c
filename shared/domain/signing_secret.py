"""The secrets that callbacks are signed with, in the form of Standard Webhooks."""

import base64
import binascii

PREFIX = "whsec_"


def parse_secret(secret: str) -> bytes:
    """The key of `whsec_<base64>`, 24 to 64 bytes. Raises ValueError, which never repeats the secret."""
    if not secret.startswith(PREFIX):
        raise ValueError("a signing secret starts with whsec_")
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a signing secret is whsec_ and Base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError("the key of a signing secret has 24 to 64 bytes")
    return key
