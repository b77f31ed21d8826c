from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_CONFIGURATION = """
server: {{firstRun: false, onlineCheck: {{enabled: false}}, pluginBlacklist: {{enabled: false}}}}
plugins: {{tracking: {{enabled: false}}, _disabled: [softwareupdate, announcements, pluginmanager]}}
"""


class OctoPrint(Application):
    name = "OctoPrint"
    mechanics = "form whose script sends it in the background"
    packages = PyPI(("octoprint==1.11.8",))

    async def prepare(self) -> None:
        self.write("config.yaml", _CONFIGURATION.format())
        account = ("add", self.username, "--password", self.password, "--admin")
        await self.run(self.program("octoprint"), *self._base, "user", *account)

    def command(self) -> Sequence[str]:
        listen = ("--host", LOOPBACK, "--port", str(self.port))
        return [self.program("octoprint"), *self._base, "serve", "--iknowwhatimdoing", *listen]

    @property
    def _base(self) -> tuple[str, str]:
        return ("--basedir", str(self.folder))
