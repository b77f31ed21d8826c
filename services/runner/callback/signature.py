"""The headers of Standard Webhooks: who sent it, when, and a signature over both and the body."""

import binascii
import hmac
from collections.abc import Sequence
from functools import lru_cache

from shared.domain.signing_secret import parse_secret


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers, with one signature per secret, so that receivers may change over.

    `timestamp` in seconds since 1970. Without a secret there is no signature, but the id still tells repetitions.
    Raises ValueError as `parse_secret` does.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        content = f"{message_id}.{timestamp}.".encode() + body
        headers["webhook-signature"] = " ".join([_signature(secret, content) for secret in secrets])
    return headers


def _signature(secret: str, content: bytes) -> str:
    keyed = _keyed(secret).copy()
    keyed.update(content)
    return "v1," + binascii.b2a_base64(keyed.digest(), newline=False).decode()


# Setting up a key takes longer than signing with it.
@lru_cache(maxsize=256)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(parse_secret(secret), digestmod="sha256")
