"""What sites say, in the words of many languages; and what only sounds like it."""

import pytest

from shared.domain.site_words import Saying, is_about_log_in, refuses_code, refuses_curtly, saying_of


@pytest.mark.parametrize(
    "text",
    [
        "Wrong user name or password.",
        "Invalid credentials",
        "The e-mail or password you entered is incorrect.",
        "Your login attempt was not successful: bad password",
        "Unknown user name.",
        "Authentication failed",
        "Your username and password didn't match. Please try again.",
        "We couldn’t find an account with that e-mail address.",
        "That password isn't right.",
        "Benutzername oder Kennwort ist falsch",
        "Ihre Anmeldung ist fehlgeschlagen",
        "Identifiant ou mot de passe incorrect",
        "Contraseña incorrecta",
        "Credenziali non valide",
        "Gebruikersnaam of wachtwoord onjuist",
        "Usuário ou senha inválidos",
        "Nieprawidłowa nazwa użytkownika lub hasło",
        "Fel användarnamn eller lösenord",
        "Forkert brugernavn eller adgangskode",
        "Feil brukernavn eller passord",
        "Väärä käyttäjätunnus tai salasana",
        "Nesprávné jméno nebo heslo",
        "Kullanıcı adı veya şifre hatalı",
        "ユーザー名またはパスワードが正しくありません",
        "用户名或密码错误",
        "Неверный логин или пароль",
        "Please enter a correct username and password. Note that both fields may be case-sensitive.",
        "Bitte einen gültigen Benutzernamen und ein Passwort eingeben.",
        "Saisissez un nom d'utilisateur et un mot de passe valides.",
        "Por favor, introduzca un nombre de usuario y clave correctos.",
        "Ange ett korrekt användarnamn och lösenord",
        "Пожалуйста, введите правильные имя пользователя и пароль.",
        "正しいユーザー名とパスワードを入力してください。",
        "No user account matches the entered credentials. Are you sure that you typed your password correctly?",
        "This combination of credentials is not known to our system.",
        "Unrecognized username or password.",
        "Your login attempt was not successful. Please try again.",
        "Your login attempt did not succeed.",
        "Login attempt unsuccessful.",
        "Hmm, that's not the right password.",
        "That email and password combination isn't quite right.",
        "The username you entered cannot be identified.",
        "We could not verify your credentials.",
        "You could not be logged in.",
        "No account found with that email.",
        "There is no user record corresponding to this identifier.",
        "No such user.",
        "Private code: This private code is not the right one. Only 2 attempts left.",
        "Not a valid user.",
        "Please check your username and password.",
        "Es konnte kein Konto mit den angegebenen Zugangsdaten gefunden werden.",
        "Diese Kombination aus Zugangsdaten ist uns nicht bekannt.",
        "Bitte überprüfen Sie Ihre Zugangsdaten.",
        "Nous ne reconnaissons pas ces identifiants.",
        "Vérifiez votre identifiant et votre mot de passe.",
        "Ninguna cuenta coincide con estas credenciales.",
        "Revisa tu usuario y contraseña.",
        "Nessun account corrisponde a queste credenziali.",
        "Controlla e-mail e password.",
        "We didn't recognise that combination. 2 attempts remaining.",
        "Sign in failed",
        "Sign-in was not successful.",
        "Falsche PIN",
        "Die eingegebenen Daten sind nicht korrekt.",
        "Los datos introducidos son erróneos",
        "I dati inseriti non sono corretti: dati errati",
        "Dados inválidos",
        "Невірний логін або пароль",
        "Tên đăng nhập hoặc mật khẩu không đúng",
        "اسم المستخدم أو كلمة المرور غير صحيحة",
        # Which of the two, the site does not say.
        "Incorrect user name or password or account is temporarily blocked.",
        "The account sign-in was incorrect or your account is disabled temporarily.",
    ],
)
def test_a_refused_log_in(text: str) -> None:
    assert saying_of(text) is Saying.REFUSED


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("Your password has expired.", Saying.PASSWORD_EXPIRED),
        ("You must change your password before logging in.", Saying.PASSWORD_EXPIRED),
        ("Ihr Passwort ist abgelaufen", Saying.PASSWORD_EXPIRED),
        ("Votre mot de passe a expiré", Saying.PASSWORD_EXPIRED),
        ("Su contraseña ha caducado", Saying.PASSWORD_EXPIRED),
        ("パスワードの有効期限が切れています", Saying.PASSWORD_EXPIRED),
        ("Your account has been locked due to too many failed attempts.", Saying.ACCOUNT_LOCKED),
        ("This account is suspended.", Saying.ACCOUNT_LOCKED),
        ("Ihr Konto wurde gesperrt", Saying.ACCOUNT_LOCKED),
        ("Votre compte est bloqué", Saying.ACCOUNT_LOCKED),
        ("La cuenta está bloqueada", Saying.ACCOUNT_LOCKED),
        ("Аккаунт: учетная запись заблокирована", Saying.ACCOUNT_LOCKED),
        ("账号已被锁定", Saying.ACCOUNT_LOCKED),
        ("Ditt konto är låst", Saying.ACCOUNT_LOCKED),
        ("Too many attempts. Try again in 5 minutes.", Saying.RATE_LIMITED),
        ("Zu viele Versuche.", Saying.RATE_LIMITED),
        ("Trop de tentatives, réessayez plus tard", Saying.RATE_LIMITED),
        ("We are down for maintenance", Saying.MAINTENANCE),
        ("Wartungsarbeiten", Saying.MAINTENANCE),
        ("Site en maintenance", Saying.MAINTENANCE),
        ("ただいまメンテナンス中です", Saying.MAINTENANCE),
        ("Just a moment...", Saying.HUMAN_ASKED_FOR),
        ("Verifying you are human. This may take a few seconds.", Saying.HUMAN_ASKED_FOR),
        ("shop.example needs to review the security of your connection", Saying.HUMAN_ASKED_FOR),
        ("Your account has been closed.", Saying.ACCOUNT_LOCKED),
        ("For your security we have put a hold on this account.", Saying.ACCOUNT_LOCKED),
        ("Please verify you are human", Saying.HUMAN_ASKED_FOR),
        ("Bestätigen Sie, dass Sie ein Mensch sind", Saying.HUMAN_ASKED_FOR),
    ],
)
def test_other_answers(text: str, saying: Saying) -> None:
    assert saying_of(text) is saying


@pytest.mark.parametrize(
    "text",
    [
        "Log in",
        "Forgot your password?",
        "Change your password",
        "Enter your user name and password",
        "Welcome back, Ms. Miller",
        "Caps lock is locked for this password",
        "Bitte melden Sie sich an",
        "Passwort vergessen?",
        "Mot de passe oublié ?",
        "パスワードを忘れた方",
        "You have no open orders.",
        "Enter the code we sent to your e-mail. It is valid for 10 minutes.",
        "Your e-mail: enter a valid 6-digit code",
        "Your account is valid until 2027.",
        "No users found",
        "Last log-in of this account: yesterday at 10:14",
        "Your e-mail address is not verified yet.",
        "2 unsuccessful log-in attempts since your last visit",
        "3 fehlgeschlagene Anmeldungen seit Ihrer letzten Anmeldung",
        "Check your e-mail for the code",
        "Please check your e-mail and enter the code",
        "Please verify your e-mail address",
        "Your password expires in 3 days, please change it.",
        "Your password must be changed within 5 days.",
        "Votre mot de passe expire dans 3 jours.",
        "Email notifications are disabled for your account.",
        "Two-factor authentication is disabled for your account",
        "3 user accounts were locked this week",
        "Last successful login: today 09:00. Last failed login: yesterday 12:00.",
        "Failed sign-ins today: 12",
    ],
)
def test_what_is_no_answer(text: str) -> None:
    assert saying_of(text) is None


@pytest.mark.parametrize(
    "text", ["Invalid code", "The code has expired", "Falscher Code", "Code incorrect", "コードが間違っています"]
)
def test_a_refused_code(text: str) -> None:
    assert refuses_code(text)
    assert not refuses_code("Enter the code from your app")


@pytest.mark.parametrize(
    ("text", "is_about"),
    [
        ("Sorry, those credentials are not for this site.", True),
        ("Diese Benutzerkennung kennen wir leider so gar nicht", True),
        ("Your session has timed out, please enter your password again.", False),
        ("CSRF token missing for this user", False),
        ("Log-in needs cookies, please allow them", False),
        ("Our opening hours have changed", False),
        ("We have sent a log-in link to your e-mail address", False),
        ("Please confirm your e-mail address to activate your account", False),
        ("Lost your password?", False),
    ],
)
def test_a_notice_about_the_log_in(text: str, is_about: bool) -> None:
    assert saying_of(text) is None
    assert is_about_log_in(text) is is_about


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("Incorrect.", True),
        ("That's not right. Have another go.", True),
        ("Falsch!", True),
        ("Неправильно", True),
        ("Oops! Something went wrong on our end.", False),
        ("Invalid session", False),
        ("Company ID is required", False),
    ],
)
def test_a_curt_refusal(text: str, refuses: bool) -> None:
    assert refuses_curtly(text) is refuses
