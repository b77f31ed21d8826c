from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_HASH = "import sys; from jupyter_server.auth import passwd; print(passwd(sys.stdin.read(), 'sha1'))"


class JupyterLab(Application):
    name = "JupyterLab"
    mechanics = "password only, then a single-page application"
    packages = PyPI(("jupyterlab==4.6.6",))
    entry_path = "/lab"

    async def prepare(self) -> None:
        hashed = (await self.run(self.program("python"), "-c", _HASH, stdin=self.password)).split()[-1]
        self.write("jupyter_server_config.py", f"c.PasswordIdentityProvider.hashed_password = {hashed!r}\n")

    def command(self) -> Sequence[str]:
        return [
            *(self.program("jupyter-lab"), "--no-browser", "--allow-root", f"--ip={LOOPBACK}", f"--port={self.port}"),
            *(f"--config={self.folder / 'jupyter_server_config.py'}", f"--notebook-dir={self.folder}"),
        ]
