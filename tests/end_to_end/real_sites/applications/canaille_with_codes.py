from tests.end_to_end.real_sites.applications.canaille import Canaille


class CanailleWithCodes(Canaille):
    name = "Canaille with codes"
    mechanics = "user name, password and TOTP code, each on a page of its own"
    factors = ("password", "otp")
    totp_secret = "MNQW4YLJNRWGKLLTMVRXEZLUFUZDAMRW"
