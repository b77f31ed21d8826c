"""Takes out of a recording what must not stand in a flow: the credentials that were typed while it was made."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from services.api.flows.importers.draft import Draft

PASSWORD = re.compile(
    r"(?i)pass.?(word|wort|phrase|code)|passwd|\bpwd?\b|kennwort|mot.?de.?passe|contrase|senha|wachtwoord|parola|has[łl]o|"
    r"l[öo]senord|salasana|adgangskode|heslo|[şs]ifre|пароль|密码|密碼|パスワード|비밀번호|\bpin\b|[#.\[\"'_-]pw\b|\bpass\b"
)
USER = re.compile(
    r"(?i)user|e-?mail|log-?in|sign-?in|account|benutzer|anmelde|identifiant|utilisateur|usu[áa]rio|gebruiker|utente|"
    r"kunde|member|mitglied|anv[äa]ndar|bruker|k[äa]ytt[äa]j|имя|логин|用户|ユーザー"
)
CODE = re.compile(r"(?i)\b(t?otp|mfa|2fa)\b|one.?time|verification.?code|security.?code|auth.*code|einmal")
_NAMES: tuple[Literal["username", "password", "totp"], ...] = ("password", "username", "totp")
REASON = "what was typed is left out; the flow asks for {{%s}}"


@dataclass(frozen=True, slots=True)
class Lifted:
    """`value` is the name of what stands in its place, in this `step`."""

    value: Literal["username", "password", "totp"]
    step: dict[str, Any]
    typed_into: str


def lift_credentials(draft: Draft) -> list[Lifted]:
    """Puts placeholders where credentials were typed, and takes out every other step that repeats the password."""
    fills = [(position, step) for position, step in enumerate(draft.steps) if step["do"] == "fill"]
    names = _values_of(fills)
    lifted = []
    for position, step in fills:
        value = next((name for name in _NAMES if step["value"] in names.get(name, ())), None)
        if value is not None:
            step["value"] = "{{" + value + "}}"
            lifted.append(Lifted(value, step, _first_locator(step)))
            _tell(draft, position, REASON % value)
    _take_out(draft, {secret for secret in names.get("password", ()) if len(secret) >= 4})
    return lifted


def _values_of(fills: list[tuple[int, dict[str, Any]]]) -> dict[str, set[str]]:
    """What was typed, by what it is. The user name came last before a password, at best into a field so named."""
    found: dict[str, set[str]] = {}
    before = named = ""
    for _, step in fills:
        about, typed = _about(step), step["value"]
        if not typed:
            continue
        if PASSWORD.search(about):
            found.setdefault("password", set()).add(typed)
            if named or before:
                found.setdefault("username", set()).add(named or before)
            continue
        if CODE.search(about):
            found.setdefault("totp", set()).add(typed)
        before, named = typed, typed if USER.search(about) else named
    return found


def _take_out(draft: Draft, secrets: set[str]) -> None:
    """A step that holds the password in any other place can't be kept; it is emptied, so that positions stay."""
    for position, step in enumerate(draft.steps):
        texts = str({name: part for name, part in step.items() if not (step["do"] == "fill" and name == "value")})
        typed = step.get("value", "") if step["do"] == "fill" else ""
        if any(secret in texts or secret in typed for secret in secrets):
            draft.steps[position] = {}
            for told in draft.report:
                if position in told.steps:
                    told.fate, told.reason = "unsupported", "it repeats what was typed as the password"


def _tell(draft: Draft, position: int, reason: str) -> None:
    for told in draft.report:
        if position in told.steps:
            told.fate, told.reason = "changed", "; ".join(each for each in (told.reason, reason) if each)


def _about(step: dict[str, Any]) -> str:
    """All that the locators of a step say."""
    return " ".join(str(part) for locator in step["locators"] for part in locator.values())


def _first_locator(step: dict[str, Any]) -> str:
    return " ".join(f"{kind} {value}" for kind, value in step["locators"][0].items())
