from tests.end_to_end.real_sites.applications.django_admin import DjangoAdmin
from tests.end_to_end.real_sites.packages import PyPI

_SETTINGS = """
INSTALLED_APPS += ["allauth", "allauth.account", "allauth.mfa"]
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_EMAIL_VERIFICATION = "none"
LOGIN_REDIRECT_URL = "/accounts/email/"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
"""
_URLS = """
from django.urls import include, path
urlpatterns = [path("accounts/", include("allauth.urls"))]
"""
_DEVICE = """
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
TOTP.activate(User.objects.get(), "{secret}")
"""


class DjangoAllauth(DjangoAdmin):
    """The views and templates of django-allauth in a new project."""

    name = "django-allauth"
    mechanics = "form, then TOTP code on a page of its own; reset and registration beside it"
    packages = PyPI(("django-allauth[mfa]==65.21.1", "django==5.2.19"))
    entry_path = "/accounts/login/"
    totp_secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

    async def prepare(self) -> None:
        await self.start_project(_SETTINGS, _URLS)
        await self.create_account()
        await self.manage("shell", "-c", _DEVICE.format(secret=self.totp_secret))
