from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_PAGE = """
import gradio
page = gradio.Interface(lambda name: f"Hello {{name}}", "text", "text")
page.launch(server_name="{host}", server_port={port}, auth=("{username}", "{password}"))
"""


class Gradio(Application):
    name = "Gradio"
    mechanics = "single-page application; fields without names, known by their labels alone"
    packages = PyPI(("gradio==6.31.0",))

    async def prepare(self) -> None:
        account = {"username": self.username, "password": self.password}
        self.write("page.py", _PAGE.format(host=LOOPBACK, port=self.port, **account))

    def command(self) -> Sequence[str]:
        return [self.program("python"), "page.py"]
