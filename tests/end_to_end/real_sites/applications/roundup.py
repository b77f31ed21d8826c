from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

# Its own server refuses to run as root.
_SERVED = """
from roundup.cgi.wsgi_handler import RequestDispatcher
tracker = RequestDispatcher("{folder}/tracker")
"""


class Roundup(Application):
    """The classic tracker with its first account."""

    name = "Roundup"
    mechanics = "public page with a log-in form in its side bar, beside forms for searching"
    packages = PyPI(("roundup==2.6.0", "waitress==3.0.2"))
    username = "admin"

    async def prepare(self) -> None:
        admin = [self.program("roundup-admin"), "-i", str(self.folder / "tracker")]
        settings = f"mail_domain=site.test,mail_host=localhost,tracker_web={self.entry_point}"
        await self.run(*admin, "install", "classic", "sqlite", settings)
        await self.run(*admin, "initialise", self.password)
        self.write("served.py", _SERVED.format(folder=self.folder))

    def command(self) -> Sequence[str]:
        return [self.program("waitress-serve"), f"--listen={LOOPBACK}:{self.port}", "served:tracker"]
