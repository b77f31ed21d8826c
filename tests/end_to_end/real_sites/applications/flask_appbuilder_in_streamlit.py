from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.applications.flask_appbuilder import FlaskAppBuilder
from tests.end_to_end.real_sites.applications.streamlit_authenticator import StreamlitAuthenticator

_PAGE = """
import streamlit as st
st.title("Our tools")
st.text_input("Search")
st.components.v1.iframe("{address}", height=700)
"""


class FlaskAppBuilderInStreamlit(Application):
    """Streamlit's own component for showing another site, in a page of four lines."""

    name = "Flask-AppBuilder in Streamlit"
    mechanics = "form in a frame of another origin, which a single-page application adds late"
    packages = StreamlitAuthenticator.packages

    @classmethod
    def version(cls) -> str:
        return f"{FlaskAppBuilder.version()} in {cls.packages.requirements[1].rpartition('==')[2]}"

    async def prepare(self) -> None:
        self._framed = FlaskAppBuilder(self.folder / "framed")
        await self._framed.start()
        self.write("page.py", _PAGE.format(address=f"{self._framed.url}/login/"))

    def command(self) -> Sequence[str]:
        return [
            *(self.program("streamlit"), "run", "page.py", "--server.headless=true", "--server.fileWatcherType=none"),
            *(f"--server.address={LOOPBACK}", f"--server.port={self.port}", "--browser.gatherUsageStats=false"),
        ]

    async def stop(self) -> None:
        await super().stop()
        await self._framed.stop()
