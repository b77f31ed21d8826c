import json
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import Npm

_HASH = "require('{library}').hash(process.argv[1], 10, (error, hashed) => console.log(hashed))"


class TheLounge(Application):
    """The client for IRC, private, with one user who knows no network yet."""

    name = "The Lounge"
    mechanics = "single-page application over a WebSocket; behind the log-in another form with a password"
    packages = Npm(("thelounge@2.6.0",))

    async def prepare(self) -> None:
        modules = self.packages.programs(self._programs[0].parent.parent).parent
        hashed = await self.run("node", "-e", _HASH.format(library=modules / "bcryptjs"), self.password)
        user = {"user": self.username, "password": hashed.strip(), "log": False, "networks": []}
        self.write(f"users/{self.username}.json", json.dumps(user))

    def command(self) -> Sequence[str]:
        where = ["--host", LOOPBACK, "--port", str(self.port), "--private"]
        return [self.program("lounge"), "--home", str(self.folder), "start", *where]
