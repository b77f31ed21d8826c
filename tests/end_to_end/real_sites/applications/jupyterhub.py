import shutil
from collections.abc import Mapping, Sequence

from services.embedded.process import LOOPBACK, free_port
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import Npm, PyPI

_CONFIGURATION = """
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{folder}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.default_url = "/hub/home"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.api_url = "http://{loopback}:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
"""


class JupyterHub(Application):
    """Its servers are not started: the log-in ends at the page that offers one."""

    name = "JupyterHub"
    mechanics = "form rendered by the server; behind a proxy that answers redirects to a log-in"
    packages = PyPI(("jupyterhub==5.5.4", "oauthenticator==17.4.0"))
    further_packages = Npm(("configurable-http-proxy@4.6.3",))

    async def prepare(self) -> None:
        ports = {"hub_port": free_port(), "proxy_port": free_port()}
        # The hub starts it in a session of its own; it has to end with a hub that is killed.
        setpriv = shutil.which("setpriv")
        proxy = [*([setpriv, "--pdeathsig", "KILL"] if setpriv else []), self.program("configurable-http-proxy")]
        text = _CONFIGURATION.format(url=self.url, folder=self.folder, proxy=proxy, loopback=LOOPBACK, **ports)
        self.write("jupyterhub_config.py", text + await self.authenticator())

    async def authenticator(self) -> str:
        """The part of the configuration that says how one logs in."""
        settings = {"password": self.password, "allowed_users": {self.username}}
        lines = [f"c.DummyAuthenticator.{name} = {value!r}\n" for name, value in settings.items()]
        return "c.JupyterHub.authenticator_class = 'dummy'\n" + "".join(lines)

    def command(self) -> Sequence[str]:
        return [self.program("jupyterhub"), "--config", str(self.folder / "jupyterhub_config.py")]

    def environment(self) -> Mapping[str, str]:
        return {"CONFIGPROXY_AUTH_TOKEN": "a-token-of-a-test"}
