import json
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import Npm


class ParseDashboard(Application):
    """The dashboard alone, with an account whose codes its configuration asks for; no Parse server stands behind it."""

    name = "Parse Dashboard"
    mechanics = "form that, once sent, asks for a TOTP code beside name and password"
    packages = Npm(("parse-dashboard@9.2.0",))
    totp_secret = "OBQXE43FEBSGC43IMJXWC4TEEBRW6ZDF"

    async def prepare(self) -> None:
        server = {"serverURL": "http://localhost:1/parse", "appId": "app", "masterKey": "key", "appName": "App"}
        user = {"user": self.username, "pass": self.password, "mfa": self.totp_secret}
        self.write("dashboard.json", json.dumps({"apps": [server], "users": [user]}))

    def command(self) -> Sequence[str]:
        where = ["--host", LOOPBACK, "--port", str(self.port), "--allowInsecureHTTP"]
        return [self.program("parse-dashboard"), "--config", str(self.folder / "dashboard.json"), *where]
