import base64
import json
from collections.abc import Mapping, Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_CONFIGURATION = """
SECRET_KEY = "of a test"
SERVER_NAME = "{host}"
PREFERRED_URL_SCHEME = "http"

[CANAILLE]
DATABASE = "sql"
AUTHENTICATION_FACTORS = {factors}

[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{folder}/canaille.sqlite"

[CANAILLE_OIDC]
ACTIVE_JWKS = [{keys}]
REQUIRE_NONCE = false
"""


class Canaille(Application):
    """An identity provider, here with its own account pages."""

    name = "Canaille"
    mechanics = "user name first, password on the next page"
    packages = PyPI(("canaille[front,oidc,otp,sqlite,server]==0.3.6",))
    factors: Sequence[str] = ("password",)

    async def prepare(self) -> None:
        key = (await self.canaille("jwk", "create", "rsa", "--format", "toml")).strip()
        host, factors = f"{LOOPBACK}:{self.port}", json.dumps(list(self.factors))
        self.write("canaille.toml", _CONFIGURATION.format(host=host, folder=self.folder, factors=factors, keys=key))
        await self.canaille("db", "upgrade")
        names = ("--user-name", self.username, "--family-name", "L", "--formatted-name", "Ada L")
        # Somebody who has never given a code is shown a page to scan the secret from.
        used = ("--last-otp-login", "2026-01-01T00:00:00+00:00")
        code = ("--secret-token", base64.b32decode(self.totp_secret).decode(), *used) if self.totp_secret else ()
        account = ("--emails", "ada@site.test", "--password", self.password, *code)
        await self.canaille("create", "user", "--quiet", *names, *account)

    def command(self) -> Sequence[str]:
        return [self.program("canaille"), "run", "--bind", f"{LOOPBACK}:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        return {"CANAILLE_CONFIG": str(self.folder / "canaille.toml")}

    async def canaille(self, *arguments: str) -> str:
        return await self.run(self.program("canaille"), *arguments)
