from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_CONFIGURATION = """
from buildbot.plugins import schedulers, util, worker

c = BuildmasterConfig = {{
    "buildbotURL": "{url}/",
    "buildbotNetUsageData": None,
    "protocols": {{"pb": {{"port": "tcp:0:interface={host}"}}}},
    "workers": [worker.Worker("worker", "of no account")],
    "builders": [util.BuilderConfig(name="build", workernames=["worker"], factory=util.BuildFactory())],
    "schedulers": [schedulers.ForceScheduler(name="force", builderNames=["build"])],
    "www": {{
        "port": "tcp:{port}:interface={host}",
        "auth": util.UserPasswordAuth({{"{username}": "{password}"}}),
    }},
}}
"""


class Buildbot(Application):
    """A master with one account and the web interface as shipped."""

    name = "Buildbot"
    mechanics = "public single-page application; a menu called Anonymous has the way to HTTP digest authentication"
    packages = PyPI(("buildbot[bundle]==4.3.0",))

    async def prepare(self) -> None:
        await self.run(self.program("buildbot"), "create-master", "master")
        account = {"username": self.username, "password": self.password}
        configuration = _CONFIGURATION.format(url=self.url, host=LOOPBACK, port=self.port, **account)
        self.write("master/master.cfg", configuration)

    def command(self) -> Sequence[str]:
        return [self.program("buildbot"), "start", "--nodaemon", "master"]
