"""The headers of Standard Webhooks: who sent it, when, and a signature over both and the body."""

import base64
import binascii
import hmac
from collections.abc import Sequence

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


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers, with one signature per secret, so that receivers may change over. Raises ValueError as above.

    `timestamp` in seconds since 1970. Without a secret there is no signature, but the id still tells repetitions.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        content = f"{message_id}.{timestamp}.".encode() + body
        headers["webhook-signature"] = " ".join(_signature(parse_secret(secret), content) for secret in secrets)
    return headers


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
