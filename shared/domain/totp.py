"""Time-based one-time codes (RFC 6238): what a stored secret says, and when a code of it may be used.

A secret is base32, as a site shows it for an authenticator app, or an `otpauth://totp/...` address, which also holds
algorithm, digits and period. Ready-made libraries refuse secrets of 80 bits, which many sites still hand out.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

FRESH_SECONDS = 5.0
_ALGORITHMS = ("SHA1", "SHA256", "SHA512")
_FEWEST_BYTES = 5


class TotpSecretInvalid(ValueError):
    """The text is no secret of one-time codes; the message says why and never repeats it."""


@dataclass(frozen=True, slots=True)
class TotpKey:
    """A secret and how its codes are made; `period` in seconds."""

    secret: str = field(repr=False)
    algorithm: str = "SHA1"
    digits: int = 6
    period: int = 30

    @property
    def account(self) -> bytes:
        """Names the account without telling the secret: 32 bytes.

        The period belongs to it, since only steps of one length can be compared; digits and algorithm do not, so that
        no step is used twice, however its code is written.
        """
        kind = f"parakeet one-time codes, {self.period} s\0".encode()
        return hashlib.sha256(kind + base64.b32decode(_padded(self.secret))).digest()

    def code(self, step: int) -> str:
        """The code of a time step, which is the Unix time divided by the period."""
        key = base64.b32decode(_padded(self.secret))
        digest = hmac.digest(key, struct.pack(">Q", step), self.algorithm)
        at = digest[-1] & 0xF
        number: int = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
        return str(number % 10**self.digits).zfill(self.digits)

    def step_at(self, now: float) -> int:
        """`now` in Unix seconds."""
        return int(now // self.period)

    def seconds_until(self, step: int, now: float) -> float:
        """How long until a step begins; 0 when it has."""
        return max(step * self.period - now, 0.0)

    def fresh_step(self, now: float) -> int:
        """The step whose code lives long enough to be typed and sent: the next one when under 5 s remain."""
        step = self.step_at(now)
        left = (step + 1) * self.period - now
        return step + 1 if left < min(FRESH_SECONDS, self.period / 2) else step


def read_totp_secret(text: str) -> TotpKey:
    """Raises TotpSecretInvalid."""
    text = text.strip()
    if "://" not in text:
        return TotpKey(_base32(text))
    try:
        address = urlsplit(text)
        given = {name.lower(): values[0] for name, values in parse_qs(address.query).items()}
    except ValueError:
        raise TotpSecretInvalid("is not a readable otpauth address") from None
    if (address.scheme.lower(), address.netloc.lower()) != ("otpauth", "totp"):
        raise TotpSecretInvalid("must be base32, or an address that begins with otpauth://totp/")
    if not given.get("secret"):
        raise TotpSecretInvalid("the otpauth address has no secret")
    algorithm = given.get("algorithm", "SHA1").upper().replace("-", "").removeprefix("HMAC")
    if algorithm not in _ALGORITHMS:
        raise TotpSecretInvalid("the algorithm of the otpauth address must be SHA1, SHA256 or SHA512")
    digits, period = _whole(given.get("digits", "6")), _whole(given.get("period", "30"))
    if not 6 <= digits <= 8:
        raise TotpSecretInvalid("the digits of the otpauth address must be 6, 7 or 8")
    if not 5 <= period <= 300:
        raise TotpSecretInvalid("the period of the otpauth address must be 5 to 300 seconds")
    return TotpKey(_base32(given["secret"]), algorithm, digits, period)


def secrets_of(text: str) -> list[str]:
    """What must never be shown of a stored secret: it, as it was given and as it is used."""
    try:
        key = read_totp_secret(text)
    except TotpSecretInvalid:
        return [text]
    given = parse_qs(urlsplit(text).query).get("secret", []) if "://" in text else []
    return [text, key.secret, *given]


def _base32(text: str) -> str:
    letters = text.replace(" ", "").replace("-", "").rstrip("=").upper()
    try:
        secret = base64.b32decode(_padded(letters))
    except (binascii.Error, ValueError):
        raise TotpSecretInvalid("must be base32 (letters A to Z, digits 2 to 7)") from None
    if len(secret) < _FEWEST_BYTES:
        raise TotpSecretInvalid("is too short: at least 8 letters of base32")
    return letters


def _padded(letters: str) -> str:
    return letters + "=" * (-len(letters) % 8)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
