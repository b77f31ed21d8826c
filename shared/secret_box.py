"""Credentials at rest: encrypted with the first key, readable with any of them."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretUnreadable(Exception):
    """None of the configured keys opens this secret."""


class SecretBox:
    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._first_key = keys[0].encode()

    def seal(self, secret: dict[str, Any]) -> bytes:
        return self._fernet.encrypt(json.dumps(secret).encode())

    def open(self, sealed: bytes) -> dict[str, Any]:
        """The secret in the clear. Raises `SecretUnreadable`; its text never holds any of it."""
        try:
            secret: dict[str, Any] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SecretUnreadable("no configured secret key opens the stored credentials") from None
        return secret

    def rotate(self, sealed: bytes) -> bytes:
        """The same secret under the first key. Raises `SecretUnreadable`."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise SecretUnreadable("no configured secret key opens the stored credentials") from None

    def fingerprint(self, *parts: str) -> str:
        """Stands for what must be recognised, and never be read again: a hash under the first key, in hexadecimal."""
        message = json.dumps(parts).encode()
        return hmac.new(self._first_key, message, hashlib.sha256).hexdigest()
