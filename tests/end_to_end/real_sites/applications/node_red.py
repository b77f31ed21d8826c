import json
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import Npm


class NodeRed(Application):
    """The editor, with the one account of its settings file."""

    name = "Node-RED"
    mechanics = "single-page application that shows a log-in dialog at once"
    packages = Npm(("node-red@4.1.15",))

    async def prepare(self) -> None:
        hashed = (await self.run(self.program("node-red"), "admin", "hash-pw", stdin=f"{self.password}\n")).split()[-1]
        users = [{"username": self.username, "password": hashed, "permissions": "*"}]
        settings = {"uiPort": self.port, "uiHost": LOOPBACK, "adminAuth": {"type": "credentials", "users": users}}
        self.write("settings.js", f"module.exports = {json.dumps(settings)}")

    def command(self) -> Sequence[str]:
        return [self.program("node-red"), "--userDir", str(self.folder), "--settings", str(self.folder / "settings.js")]
