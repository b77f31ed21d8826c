from tests.end_to_end.real_sites.applications.canaille import Canaille
from tests.end_to_end.real_sites.applications.jupyterhub import JupyterHub

_CLIENT, _SECRET = "hub", "a-secret-of-two-applications"


class JupyterHubWithCanaille(JupyterHub):
    """JupyterHub as the client of Canaille, each at an origin of its own."""

    name = "JupyterHub with Canaille"
    check = "sso"
    mechanics = "OpenID Connect: a button at the client, user name and password at the provider"

    async def authenticator(self) -> str:
        self._provider = Canaille(self.folder / "provider")
        await self._provider.start()
        callback, provider = f"{self.url}/hub/oauth_callback", self._provider.url
        await self._provider.canaille(
            *("create", "client", "--quiet", "--client-id", _CLIENT, "--client-secret", _SECRET),
            *("--client-name", "Hub", "--client-uri", self.url, "--redirect-uris", callback),
            *("--grant-types", "authorization_code", "--response-types", "code"),
            *("--scope", "openid", "--scope", "profile", "--scope", "email"),
            *("--token-endpoint-auth-method", "client_secret_post"),
        )
        settings = {
            "client_id": _CLIENT,
            "client_secret": _SECRET,
            "oauth_callback_url": callback,
            "authorize_url": f"{provider}/oauth/authorize",
            "token_url": f"{provider}/oauth/token",
            "userdata_url": f"{provider}/oauth/userinfo",
            "scope": ["openid", "profile", "email"],
            "username_claim": "sub",
            "login_service": "Canaille",
            "allow_all": True,
        }
        lines = [f"c.GenericOAuthenticator.{name} = {value!r}\n" for name, value in settings.items()]
        return "c.JupyterHub.authenticator_class = 'generic-oauth'\n" + "".join(lines)

    async def stop(self) -> None:
        await super().stop()
        await self._provider.stop()
