import base64
import hashlib
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import Npm

_CONFIGURATION = """
storage: {folder}/storage
auth: {{htpasswd: {{file: {folder}/htpasswd}}}}
packages: {{'**': {{access: $all, publish: $authenticated}}}}
web: {{enable: true}}
log: {{type: stdout, level: warn}}
"""


class Verdaccio(Application):
    """A registry without an upstream one."""

    name = "Verdaccio"
    mechanics = "public single-page application; a button opens the log-in dialog"
    packages = Npm(("verdaccio@6.8.0",), overrides={"node-fetch": "2.7.0"})

    async def prepare(self) -> None:
        digest = base64.b64encode(hashlib.sha1(self.password.encode(), usedforsecurity=False).digest()).decode()
        self.write("htpasswd", f"{self.username}:{{SHA}}{digest}\n")
        self.write("config.yaml", _CONFIGURATION.format(folder=self.folder))

    def command(self) -> Sequence[str]:
        listen = f"{LOOPBACK}:{self.port}"
        return [self.program("verdaccio"), "--config", str(self.folder / "config.yaml"), "--listen", listen]
