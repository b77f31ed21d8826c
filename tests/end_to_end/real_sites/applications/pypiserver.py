import base64
import hashlib
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI


class PypiServer(Application):
    name = "pypiserver"
    mechanics = "HTTP basic authentication, no form"
    packages = PyPI(("pypiserver==2.4.2", "passlib==1.7.4"))
    entry_path = "/simple/"

    async def prepare(self) -> None:
        digest = base64.b64encode(hashlib.sha1(self.password.encode(), usedforsecurity=False).digest()).decode()
        self.write("htpasswd", f"{self.username}:{{SHA}}{digest}\n")
        self.write("packages/README", "none")

    def command(self) -> Sequence[str]:
        return [
            *(self.program("pypi-server"), "run", "--interface", LOOPBACK, "--port", str(self.port)),
            *("--authenticate", "list,download,update", "--passwords", str(self.folder / "htpasswd")),
            *("--disable-fallback", str(self.folder / "packages")),
        ]
