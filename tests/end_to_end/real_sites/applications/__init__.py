"""The applications, one a module. Each says how it is installed, configured and started, and nothing of its pages."""

from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.applications.buildbot import Buildbot
from tests.end_to_end.real_sites.applications.calibre_web import CalibreWeb
from tests.end_to_end.real_sites.applications.canaille import Canaille
from tests.end_to_end.real_sites.applications.canaille_with_codes import CanailleWithCodes
from tests.end_to_end.real_sites.applications.django_admin import DjangoAdmin
from tests.end_to_end.real_sites.applications.django_allauth import DjangoAllauth
from tests.end_to_end.real_sites.applications.django_two_factor_auth import DjangoTwoFactorAuth
from tests.end_to_end.real_sites.applications.flask_appbuilder import FlaskAppBuilder
from tests.end_to_end.real_sites.applications.flask_appbuilder_in_streamlit import FlaskAppBuilderInStreamlit
from tests.end_to_end.real_sites.applications.gradio import Gradio
from tests.end_to_end.real_sites.applications.home_assistant import HomeAssistant
from tests.end_to_end.real_sites.applications.jupyterhub import JupyterHub
from tests.end_to_end.real_sites.applications.jupyterhub_with_canaille import JupyterHubWithCanaille
from tests.end_to_end.real_sites.applications.jupyterlab import JupyterLab
from tests.end_to_end.real_sites.applications.marimo import Marimo
from tests.end_to_end.real_sites.applications.node_red import NodeRed
from tests.end_to_end.real_sites.applications.octoprint import OctoPrint
from tests.end_to_end.real_sites.applications.parse_dashboard import ParseDashboard
from tests.end_to_end.real_sites.applications.pretalx import Pretalx
from tests.end_to_end.real_sites.applications.pypiserver import PypiServer
from tests.end_to_end.real_sites.applications.roundup import Roundup
from tests.end_to_end.real_sites.applications.streamlit_authenticator import StreamlitAuthenticator
from tests.end_to_end.real_sites.applications.the_lounge import TheLounge
from tests.end_to_end.real_sites.applications.tiddlywiki import TiddlyWiki
from tests.end_to_end.real_sites.applications.verdaccio import Verdaccio

APPLICATIONS: tuple[type[Application], ...] = (
    DjangoAdmin,
    FlaskAppBuilder,
    CalibreWeb,
    Roundup,
    JupyterHub,
    JupyterLab,
    Marimo,
    Canaille,
    DjangoTwoFactorAuth,
    DjangoAllauth,
    CanailleWithCodes,
    NodeRed,
    Verdaccio,
    OctoPrint,
    HomeAssistant,
    Gradio,
    StreamlitAuthenticator,
    FlaskAppBuilderInStreamlit,
    JupyterHubWithCanaille,
    PypiServer,
    TiddlyWiki,
    Buildbot,
    ParseDashboard,
    Pretalx,
    TheLounge,
)
