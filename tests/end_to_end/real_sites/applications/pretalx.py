from collections.abc import Mapping, Sequence

from services.embedded.process import LOOPBACK
from tests.end_to_end.real_sites.application import Application
from tests.end_to_end.real_sites.packages import PyPI

_ACCOUNT = (
    "from pretalx.person.models import User; User.objects.create_superuser(email='{email}', password='{password}')"
)


class Pretalx(Application):
    """The organisers' area, with a database of its own and no event yet."""

    name = "pretalx"
    mechanics = "form by e-mail address, which says of a wrong password that no account matches"
    packages = PyPI(("pretalx==2025.2.2",))
    entry_path = "/orga/login/"
    username = "ada@site.test"

    async def prepare(self) -> None:
        await self.run(*self._manage, "migrate")
        account = _ACCOUNT.format(email=self.username, password=self.password)
        await self.run(*self._manage, "shell", "--unsafe-disable-scopes", "--no-pretalx-information", "-c", account)

    def command(self) -> Sequence[str]:
        return [*self._manage, "runserver", "--noreload", f"{LOOPBACK}:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        return {"PRETALX_DATA_DIR": str(self.folder / "data"), "PRETALX_SITE_URL": self.url, "PRETALX_DEBUG": "True"}

    @property
    def _manage(self) -> list[str]:
        return [self.program("python"), "-m", "pretalx"]
