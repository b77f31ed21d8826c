from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI


class Roundup(Application):
    """The classic tracker with its first account."""

    name = "Roundup"
    mechanics = "public page with a log-in form in its side bar, beside forms for searching"
    packages = PyPI(("roundup==2.6.0",))
    entry_path = "/tracker/"
    username = "admin"

    async def prepare(self) -> None:
        admin = [self.program("roundup-admin"), "-i", str(self.folder / "tracker")]
        settings = f"mail_domain=site.test,mail_host=localhost,tracker_web={self.entry_point}"
        await self.run(*admin, "install", "classic", "sqlite", settings)
        await self.run(*admin, "initialise", self.password)

    def command(self) -> Sequence[str]:
        listen = ("-n", LOOPBACK, "-p", str(self.port))
        return [self.program("roundup-server"), *listen, f"tracker={self.folder / 'tracker'}"]
