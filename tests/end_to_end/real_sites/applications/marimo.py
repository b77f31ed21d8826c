from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI


class Marimo(Application):
    name = "marimo"
    mechanics = "one field for an access token, which is the password"
    packages = PyPI(("marimo==0.25.2",))

    def command(self) -> Sequence[str]:
        return [
            *(self.program("marimo"), "--yes", "edit", "--headless", "--no-sandbox", "--skip-update-check"),
            *("--host", LOOPBACK, "--port", str(self.port), "--token", "--token-password", self.password),
            str(self.folder),
        ]
