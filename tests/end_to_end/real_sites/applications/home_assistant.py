import json
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_CONFIGURATION = """
frontend:
http:
  server_host: {host}
  server_port: {port}
"""
_ONBOARDED = {"version": 4, "minor_version": 1, "key": "onboarding"}
_STEPS = ["user", "core_config", "analytics", "integration"]


class HomeAssistant(Application):
    """Without devices, and past the questions of the first visit."""

    name = "Home Assistant"
    mechanics = "single-page application of web components: fields and button deep in shadow DOM"
    packages = PyPI(("homeassistant==2025.3.4", "home-assistant-frontend==20250306.0"), python="3.13")

    async def prepare(self) -> None:
        self.write("configuration.yaml", _CONFIGURATION.format(host=LOOPBACK, port=self.port))
        self.write(".storage/onboarding", json.dumps(_ONBOARDED | {"data": {"done": _STEPS}}))
        await self.run(*self._hass, "--script", "auth", *self._config, "add", self.username, self.password)

    def command(self) -> Sequence[str]:
        return [*self._hass, *self._config, "--skip-pip"]

    @property
    def _hass(self) -> list[str]:
        return [self.program("hass")]

    @property
    def _config(self) -> list[str]:
        return ["--config", str(self.folder)]
