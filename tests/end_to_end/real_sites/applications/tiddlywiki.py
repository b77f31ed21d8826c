from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import Npm


class TiddlyWiki(Application):
    name = "TiddlyWiki"
    mechanics = "HTTP basic authentication, then a single-page application"
    packages = Npm(("tiddlywiki@5.4.1",))

    async def prepare(self) -> None:
        await self.run(self.program("tiddlywiki"), "wiki", "--init", "server")

    def command(self) -> Sequence[str]:
        account = (f"username={self.username}", f"password={self.password}")
        return [self.program("tiddlywiki"), "wiki", "--listen", f"host={LOOPBACK}", f"port={self.port}", *account]
