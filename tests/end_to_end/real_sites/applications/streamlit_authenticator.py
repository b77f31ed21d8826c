import json
from collections.abc import Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

# The example of its README.
_PAGE = """
import json, streamlit as st, streamlit_authenticator as stauth
authenticator = stauth.Authenticate(json.load(open("credentials.json")), "cookie", "a key of thirty-two characters.", 1)
authenticator.login()
if st.session_state.get("authentication_status"):
    authenticator.logout()
    st.title("Some content")
elif st.session_state.get("authentication_status") is False:
    st.error("Username/password is incorrect")
elif st.session_state.get("authentication_status") is None:
    st.warning("Please enter your username and password")
"""


class StreamlitAuthenticator(Application):
    name = "streamlit-authenticator"
    mechanics = "single-page application over a WebSocket: no request tells of the log-in"
    packages = PyPI(("streamlit-authenticator==0.4.2", "streamlit==1.67.0"))

    async def prepare(self) -> None:
        account = {"email": "ada@site.test", "first_name": "Ada", "last_name": "L", "password": self.password}
        self.write("credentials.json", json.dumps({"usernames": {self.username: account}}))
        self.write("page.py", _PAGE)

    def command(self) -> Sequence[str]:
        return [
            *(self.program("streamlit"), "run", "page.py", "--server.headless=true", "--server.fileWatcherType=none"),
            *(f"--server.address={LOOPBACK}", f"--server.port={self.port}", "--browser.gatherUsageStats=false"),
        ]
