from collections.abc import Mapping, Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI


class CalibreWeb(Application):
    """As it greets its first visitor: the account that it ships with, and no library yet."""

    name = "Calibre-Web"
    mechanics = "form whose second button sends a forgotten password"
    packages = PyPI(("calibreweb==0.6.27",))
    username = "admin"

    async def prepare(self) -> None:
        await self.run(*self._program, "-s", f"{self.username}:{self.password}")

    def command(self) -> Sequence[str]:
        return [*self._program, "-i", LOOPBACK]

    def environment(self) -> Mapping[str, str]:
        return {"CALIBRE_PORT": str(self.port)}

    @property
    def _program(self) -> list[str]:
        return [self.program("cps"), "-p", str(self.folder / "app.db"), "-o", str(self.folder / "calibre-web.log")]
