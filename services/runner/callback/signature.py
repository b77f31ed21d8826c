"""The headers of Standard Webhooks: who sent it, when, and a signature over both and the body."""

import base64
import hmac
from collections.abc import Sequence

from shared.domain.signing_secret import parse_secret


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers, with one signature per secret, so that receivers may change over.

    `timestamp` in seconds since 1970. Without a secret there is no signature, but the id still tells repetitions.
    Raises ValueError as `parse_secret` does.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        content = f"{message_id}.{timestamp}.".encode() + body
        headers["webhook-signature"] = " ".join(_signature(parse_secret(secret), content) for secret in secrets)
    return headers


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
