from tests.end_to_end.real_sites.applications.django_admin import DjangoAdmin
from tests.end_to_end.real_sites.packages import PyPI

_SETTINGS = """
INSTALLED_APPS += ["django_otp", "django_otp.plugins.otp_static", "django_otp.plugins.otp_totp", "two_factor"]
MIDDLEWARE += ["django_otp.middleware.OTPMiddleware"]
LOGIN_URL = "two_factor:login"
LOGIN_REDIRECT_URL = "two_factor:profile"
"""
_URLS = """
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from two_factor.urls import urlpatterns
urlpatterns = [path("", include(urlpatterns)), path("account/logout/", LogoutView.as_view(), name="logout")]
"""
_DEVICE = """
from base64 import b32decode
from django.contrib.auth.models import User
User.objects.get().totpdevice_set.create(name="default", key=b32decode("{secret}").hex())
"""


class DjangoTwoFactorAuth(DjangoAdmin):
    """The views and templates of django-two-factor-auth in a new project."""

    name = "django-two-factor-auth"
    mechanics = "wizard of two steps at one address: form, then TOTP code"
    packages = PyPI(("django-two-factor-auth==1.18.1", "django==5.2.19", "phonenumbers==9.0.19"))
    entry_path = "/account/login/"
    totp_secret = "KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF"

    async def prepare(self) -> None:
        await self.start_project(_SETTINGS, _URLS)
        await self.create_account()
        await self.manage("shell", "-c", _DEVICE.format(secret=self.totp_secret))
