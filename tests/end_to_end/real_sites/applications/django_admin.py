from collections.abc import Mapping, Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_PROJECT = "project"


class DjangoAdmin(Application):
    """The project that `django-admin startproject` makes, unchanged."""

    name = "Django admin"
    mechanics = "form rendered by the server"
    packages = PyPI(("django==5.2.19",))
    entry_path = "/admin/"

    async def prepare(self) -> None:
        await self.start_project()
        await self.create_account()

    def command(self) -> Sequence[str]:
        return [*self._manage, "runserver", "--noreload", f"{LOOPBACK}:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        return {"DJANGO_SUPERUSER_PASSWORD": self.password}

    async def start_project(self, settings: str = "", urls: str | None = None) -> None:
        """`settings` is added to those that Django makes; `urls` replaces the list that holds the admin alone."""
        await self.run(self.program("django-admin"), "startproject", _PROJECT, ".")
        path = self.folder / _PROJECT / "settings.py"
        path.write_text(path.read_text() + settings)
        if urls is not None:
            self.write(f"{_PROJECT}/urls.py", urls)
        await self.manage("migrate")

    async def create_account(self) -> None:
        await self.manage("createsuperuser", "--noinput", "--username", self.username, "--email", "ada@site.test")

    async def manage(self, *arguments: str) -> str:
        return await self.run(*self._manage, *arguments)

    @property
    def _manage(self) -> list[str]:
        return [self.program("python"), "manage.py"]
