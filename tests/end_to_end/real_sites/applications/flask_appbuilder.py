from collections.abc import Mapping, Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_APPLICATION = """
from flask import Flask
from flask_appbuilder import AppBuilder
from flask_appbuilder.utils.legacy import get_sqla_class
app = Flask("app")
app.config.from_mapping(SECRET_KEY="of a test", SQLALCHEMY_DATABASE_URI="sqlite:///{folder}/app.db", {settings})
db = get_sqla_class()()
with app.app_context():
    db.init_app(app)
    appbuilder = AppBuilder(app, db.session)
"""


class FlaskAppBuilder(Application):
    """The log-in that Superset and Airflow's auth manager have from this framework."""

    name = "Flask-AppBuilder"
    mechanics = "form rendered by the server; its public page has a log-in link"
    packages = PyPI(("flask-appbuilder==5.3.0",))
    settings = "AUTH_TYPE=1"

    async def prepare(self) -> None:
        self.write("app.py", _APPLICATION.format(folder=self.folder, settings=self.settings))
        name = ("--username", self.username, "--firstname", "Ada", "--lastname", "L", "--email", "ada@site.test")
        await self.run(self.program("flask"), "fab", "create-admin", *name, "--password", self.password)

    def command(self) -> Sequence[str]:
        return [self.program("flask"), "run", "--host", LOOPBACK, "--port", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        return {"FLASK_APP": "app:app"}
