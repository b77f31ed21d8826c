"""One-time codes, against the vectors of RFC 6238 and another implementation."""

import base64

import pyotp
import pytest

from shared.domain.totp import TotpKey, TotpSecretInvalid, read_totp_secret, secrets_of

SEED = b"1234567890" * 7


@pytest.mark.parametrize(
    ("algorithm", "length", "now", "code"),
    [
        ("SHA1", 20, 59, "94287082"),
        ("SHA256", 32, 59, "46119246"),
        ("SHA512", 64, 59, "90693936"),
        ("SHA1", 20, 1111111109, "07081804"),
        ("SHA256", 32, 20000000000, "77737706"),
        ("SHA512", 64, 20000000000, "47863826"),
    ],
)
def test_the_vectors_of_the_standard(algorithm: str, length: int, now: int, code: str) -> None:
    key = TotpKey(base64.b32encode(SEED[:length]).decode().rstrip("="), algorithm, digits=8)
    assert key.code(key.step_at(now)) == code


@pytest.mark.parametrize("step", [0, 1, 55_000_000])
def test_another_implementation_agrees(step: int) -> None:
    secret = pyotp.random_base32()
    assert read_totp_secret(secret).code(step) == pyotp.TOTP(secret).generate_otp(step)


def test_a_short_secret_of_80_bits_makes_codes() -> None:
    assert read_totp_secret("jbsw y3dp-ehpk 3pxp").code(1) == "996554"


def test_an_address_says_it_all() -> None:
    address = "otpauth://totp/Acme%20Inc:probe?secret=JBSWY3DPEHPK3PXP&issuer=Acme&algorithm=SHA512&digits=7&period=60"
    assert read_totp_secret(address) == TotpKey("JBSWY3DPEHPK3PXP", "SHA512", 7, 60)
    assert read_totp_secret("OTPAUTH://TOTP/x?SECRET=jbswy3dpehpk3pxp") == TotpKey("JBSWY3DPEHPK3PXP")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not base32!", "base32"),
        ("JBSWY3D", "short"),
        ("otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP", "otpauth://totp/"),
        ("https://totp/x?secret=JBSWY3DPEHPK3PXP", "otpauth://totp/"),
        ("otpauth://totp/x", "no secret"),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&algorithm=MD5", "algorithm"),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&digits=9", "digits"),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=0", "period"),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=²", "period"),
        ("otpauth://[totp/x?secret=JBSWY3DPEHPK3PXP", "readable"),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(text: str, reason: str) -> None:
    with pytest.raises(TotpSecretInvalid, match=reason) as refused:
        read_totp_secret(text)
    assert "JBSWY3D" not in str(refused.value)


def test_a_code_is_fresh_while_five_seconds_remain() -> None:
    key = TotpKey("JBSWY3DPEHPK3PXP")
    assert key.fresh_step(600.0) == 20
    assert key.fresh_step(625.0) == 20
    assert key.fresh_step(625.1) == 21
    assert key.seconds_until(21, 625.1) == pytest.approx(4.9)
    assert key.seconds_until(20, 625.1) == 0


def test_an_account_is_named_by_its_secret_however_that_is_written() -> None:
    plain, address = read_totp_secret("jbsw y3dp ehpk 3pxp"), "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"
    assert plain.account == read_totp_secret(address).account
    assert plain.account != read_totp_secret("JBSWY3DPEHPK3PXQ").account
    assert "JBSWY" not in repr(plain)


def test_the_steps_of_an_account_are_comparable() -> None:
    def key(more: str) -> TotpKey:
        return read_totp_secret(f"otpauth://totp/x?secret=JBSWY3DPEHPK3PXP{more}")

    assert key("").account != key("&period=60").account  # a step of 30 s has twice the number
    assert key("").account == key("&period=30&digits=8&algorithm=SHA256").account  # so no step is used twice


def test_all_spellings_of_a_secret_are_secret() -> None:
    address = "otpauth://totp/x?secret=jbswy3dpehpk3pxp"
    assert set(secrets_of(address)) == {address, "JBSWY3DPEHPK3PXP", "jbswy3dpehpk3pxp"}
    assert secrets_of("no secret!") == ["no secret!"]
