"""What a site says to a log-in, told by its words in the languages that partners use.

One text is one line or notice of a page. Only what is new after something was sent may be asked about: help texts and
announcements use the same words.
"""

import re
from enum import StrEnum
from functools import lru_cache


class Saying(StrEnum):
    """What the words mean, in the order in which they outweigh each other."""

    PASSWORD_EXPIRED = "password_expired"
    ACCOUNT_LOCKED = "account_locked"
    RATE_LIMITED = "rate_limited"
    HUMAN_ASKED_FOR = "human_asked_for"
    MAINTENANCE = "maintenance"
    REFUSED = "refused"


_PASSWORD = (
    r"passwor[dt]|\bpin\b|pass ?phrase|passcode|(?:private|access|entry) code|zugangscode|code d.acc(?:è|e)s"
    r"|kennwort|mot de passe|contrase(?:ñ|n)a|clave|wachtwoord|senha"
    r"|palavra-passe|has(?:ł|l)[oa]|l(?:ö|o)senord|adgangskode|passord|salasana|hesl[oaeu]|(?:ş|s)ifre|parol"
    r"|jelsz(?:ó|o)|κωδικ|пароль|пароля|паролі|m(?:ậ|a)t kh(?:ẩ|a)u|kata sandi|كلمة (?:المرور|السر)|סיסמ|パスワード"
    r"|密码|密碼|口令|비밀번호"
)
_ACCOUNT = (
    r"account|user|log[ -]?in|sign[ -]?in|e-?mail|credential|details|combination|konto|benutzer|anmeld|zugang"
    r"|compte|utilisateur"
    r"|identifiant|connexion|cuenta|usuario|correo|credencial|acceso|utente|credenziali|gebruiker|aanmeld|inlog"
    r"|conta\b|utilizador|usu(?:á|a)rio|u(?:ż|z)ytkownik|kont[oa]|logowani|anv(?:ä|a)ndar|inloggning|bruger"
    r"|bruker|p(?:å|a)logging|k(?:ä|a)ytt(?:ä|a)j|tunnus|tili\b|u(?:ž|z)ivatel|(?:ú|u)(?:č|c)et|p(?:ř|r)ihl"
    r"|kullan(?:ı|i)c|hesab|e-?posta|felhaszn|fi(?:ó|o)k|utilizator|χρήστη|логин|пользовател|учетн|учётн|почт"
    r"|kombination|combinaison|combinaci(?:ó|o)n|combinazione|combinatie|combina(?:ç|c)(?:ã|a)o"
    r"|\bdaten\b|angaben|donn(?:é|e)es|\bdatos\b|\bdati\b|\bdados\b|gegevens|\bdane\b"
    r"|данные|дані|логін|користувач|đ(?:ă|a)ng nh(?:ậ|a)p|t(?:à|a)i kho(?:ả|a)n|nama pengguna|المستخدم|البريد|משתמש"
    r"|ユーザー|アカウント|ログイン|メール|账号|帳號|账户|帐户|用户|用戶|登录|登入|계정|아이디|로그인"
)
_EITHER = f"{_ACCOUNT}|{_PASSWORD}"
_NEGATIVE = (
    r"wrong|incorrect|invalid|unknown|unrecogni[sz]ed|\bbad\b|no match|fail|denied|mismatch|unsuccessful"
    r"|(?:not|n.t) (?:be |quite |the |a )?(?:match|exist|recogni[sz]e|found|find|correct|valid|right|known|success"
    r"|succeed|identif)"
    r"|falsch|ung(?:ü|ue)ltig|nicht gefunden|inkorrekt|nicht korrekt|nicht richtig|stimm\w* nicht|nicht bekannt"
    r"|ne reconnaissons pas|pas reconnu|ningun[ao]? .{0,30}coincide|nessun\w* .{0,30}corrispond"
    r"|fehlgeschlagen|unbekannt|abgelehnt|incorrecte?s?|invalides?|erron(?:é|e)|inconnu|(?:é|e)chou(?:é|e)"
    r"|(?:é|e)chec|ne correspond|incorrect[oa]s?|no v(?:á|a)lid|inv(?:á|a)lid|err(?:ó|o)ne|no coincide"
    r"|no existe|fallid|errat[oaie]|non valid|non corrett|sbagliat|non riconosciut|non trovat|fallit|scorrett"
    r"|onjuist|ongeldig|mislukt|verkeerd|niet gevonden|klopt niet|errad|incorret|falhou"
    r"|n(?:ã|a)o (?:confere|corresponde|encontrad)|nieprawid|b(?:ł|l)(?:ę|e)dn|niepoprawn|nie powiod|felaktig"
    r"|fel\b|ogiltig|misslyckades|forkert|ugyldig|mislykkedes|feil|mislyktes|v(?:ä|a)(?:ä|a)r|virheel"
    r"|ep(?:ä|a)onnistu|ei kelpaa|nespr(?:á|a)vn|neplatn|chybn|selhal|hatal(?:ı|i)|yanl(?:ı|i)(?:ş|s)"
    r"|ge(?:ç|c)ersiz|ba(?:ş|s)ar(?:ı|i)s(?:ı|i)z|hib(?:á|a)s|helytelen|(?:é|e)rv(?:é|e)nytelen|gre(?:ș|s)it"
    r"|không (?:đúng|chính xác|hợp lệ|tồn tại)|salah|tidak (?:valid|cocok|sesuai|ditemukan)|غير صحيح|خاطئ|خطأ|שגוי"
    r"|невірн"
    r"|incorect|λάθος|λανθασμ|неверн|неправильн|не найден|ошибк|не удалось|некорректн"
    r"|正しくありません|間違|無効|違います"
    r"|一致しません|失敗|できませんでした|错误|錯誤|不正确|不正確|无效|不存在|失败|失敗|不匹配|有误|잘못|올바르지"
    r"|일치하지|없습니다"
)
_EXPIRED = (
    r"expired|has to be changed|must be changed|must (?:be )?(?:change|reset|renew|updated)"
    r"|needs? to be (?:changed|reset)|(?:please|have to|required to|need to|must) (?:now )?(?:change|update)"
    r"|abgelaufen|ge(?:ä|ae)ndert werden|m(?:ü|ue)ssen .{0,30}(?:ä|ae)ndern|expir(?:é|e|ó|ad|ou)"
    r"|doit (?:ê|e)tre (?:chang|modifi)|ha caducado|caducad|debe (?:ser )?cambi|scadut"
    r"|deve essere (?:cambi|modific)|verlopen|moet .{0,30}(?:wijzig|verander)|wygas(?:ł|l)"
    r"|musi zosta(?:ć|c) zmienion|har g(?:å|a)tt ut|m(?:å|a)ste (?:bytas|(?:ä|a)ndras)|udl(?:ø|o)b|utl(?:ø|o)p"
    r"|vanhentunut|vaihdettava|vypr(?:š|s)el|s(?:ü|u)resi (?:dol|ge(?:ç|c))|lej(?:á|a)rt|истек|устарел"
    r"|необходимо сменить|有効期限|期限切れ|过期|過期|已失效|만료"
)
_LOCKED = (
    r"\blocked|blocked|(?:been|is|was) (?:\w+ )?(?:closed|frozen|restricted|terminated)|hold on (?:this|your)"
    r"|disabled|suspended|deactivated|inactive|banned|gesperrt|deaktiviert|verrouill"
    r"|bloqu(?:é|ead|eou)|d(?:é|e)sactiv|suspend|deshabilitad|desactivad|bloccat|sospes|disabilitat|disattivat"
    r"|geblokkeerd|vergrendeld|uitgeschakeld|desativad|zablokowan|wy(?:ł|l)(?:ą|a)czon|l(?:å|aa)st\b"
    r"|sp(?:ä|a)rrat|inaktiverat|sp(?:æ|ae)rret|sperret|deaktivert|deaktiveret|lukittu|lukkiutunut|zablokov"
    r"|uzam(?:č|c)en|kilitlen|kilitli|engellen|ask(?:ı|i)ya|letiltv|z(?:á|a)rolv|blocat|заблокирован|отключен"
    r"|отключён|ロックされ|停止され|锁定|鎖定|冻结|停用|禁用|잠겼|잠금|정지"
)
_NEVER_LOCKED = (
    r"caps|pop-?ups?|cookies?|javascript|third.?party|unblock|unlock"
    # What of an account is switched off, and not the account; and how many others were locked.
    r"|(?:notifications?|newsletters?|alerts|reminders|features?|plug-?ins?|sync\w*|backups?|forwarding|api(?: keys?)?"
    r"|two.?(?:factor|step)\b.{0,20}|multi.?factor\b.{0,20}|2fa|mfa|benachrichtigung\w*|notificaciones|notifiche"
    r"|meldingen) (?:are|is|have been|has been|was|were|sind|ist|wurden?|sont|est|est(?:á|a)n?|sono|zijn|is)\b"
    r"|\d+ (?:\w+ )?(?:accounts|users|konten|benutzer|nutzer|comptes|utilisateurs|cuentas|usuarios|utenti|contas"
    r"|gebruikers|konta|u(?:ż|z)ytkownik)"
)
# A password that is still good for a while.
_NOT_YET = (
    r"\bexpires\b|(?:will|about to|going to) expire|expire dans|expira en|scade (?:tra|fra)|verloopt"
    r"|\b(?:in|within|innerhalb von|binnen|dans|en|tra|fra|over|za|om|через) (?:the next )?\d+"
)
_MANY = (
    r"too many|rate limit"
    r"|(?:try|versuchen|r(?:é|e)essayez|int(?:é|e)ntelo|riprova|probeer|tente|spr(?:ó|o)buj|f(?:ö|o)rs(?:ö"
    r"|o)k|pr(?:ø|o)v|yrit(?:ä|a)|zkuste|deneyin|попробуйте).{0,30} (?:in|after|dans|en|tra|over|em|za|om"
    r"|sonra|через) ?\d+"
    r"|zu viele|trop de (?:tentatives|connexions|requ)|demasiad[oa]s (?:intentos|solicitud)|troppi tentativi"
    r"|troppe richieste|te veel (?:pogingen|aanmeld|verzoeken)|muitas tentativas|tentativas demais|zbyt wiele"
    r"|f(?:ö|o)r m(?:å|a)nga|for mange|liian monta|p(?:ř|r)(?:í|i)li(?:š|s) mnoho|(?:ç|c)ok fazla|t(?:ú|u)l sok"
    r"|prea multe|слишком много|回数.{0,10}超|試行回数|リクエストが多|次数过多|次数超|过于频繁|太频繁|嘗試次數"
    r"|너무 많"
)
_HUMAN = (
    r"(?:verify(?:ing)?|prove|confirm|check(?:ing)?|make sure|sure).{0,40}(?:you(?:'re|’re| are)"
    r"|that you).{0,25}(?:human|not a (?:ro)?bot|a real person)"
    r"|are you (?:a )?(?:human|robot)|i.?m not a robot|not a robot|unusual (?:traffic|activity|login activity)"
    r"|(?:security of your|site) connection|security (?:verification|check)\b|malicious bots"
    r"|checking your browser|^just a moment|automated (?:access|requests|queries|traffic)"
    r"|enable javascript and cookies to continue"
    r"|(?:solve|complete|enter|wrong|invalid|incorrect) .{0,20}captcha"
    r"|captcha.{0,20}(?:wrong|invalid|incorrect|required|failed|falsch)|captcha (?:l(?:ö|oe)sen|eingeben)"
    r"|kein roboter|ein mensch sind|menschlich|n.(?:ê|e)tes pas un robot|(?:ê|e)tes humain"
    r"|no (?:eres|soy|es) un robot|eres humano|non sono un robot|sei umano|geen robot|een mens bent"
    r"|n(?:ã|a)o (?:sou|(?:é|e)) um rob|nie jeste(?:ś|s|m).{0,10}robotem|inte (?:en|är en) robot|ikke en robot"
    r"|et ole robotti|nejste robot|robot olmad|вы не робот|я не робот|ロボットではありません|人間であること"
    r"|不是机器人|人机验证|安全验证"
    r"|로봇이 아닙니다"
)
_MAINTENANCE = (
    r"(?:under|down for|scheduled|undergoing|planned|for) .{0,20}maintenance"
    r"|maintenance (?:mode|in progress|work|window)"
    r"|(?:temporarily|currently) (?:unavailable|offline|down|out of service)|service (?:is )?unavailable"
    r"|we(?:.ll| will) be (?:right )?back|wartungs(?:arbeiten|modus|fenster|pause)|wird gewartet|in wartung"
    r"|vor(?:ü|ue)bergehend nicht (?:verf(?:ü|ue)gbar|erreichbar)|en (?:cours de )?maintenance|pour maintenance"
    r"|temporairement indisponible|en mantenimiento|por mantenimiento|temporalmente no disponible"
    r"|in manutenzione|per manutenzione|temporaneamente non disponibile|onderhoud"
    r"|tijdelijk niet (?:beschikbaar|bereikbaar)|em manuten(?:ç|c)(?:ã|a)o|para manuten"
    r"|temporariamente indispon|prac(?:e|ami) (?:konserwacyjn|serwisow)|przerwa techniczna"
    r"|tymczasowo niedost(?:ę|e)pn|underh(?:å|a)ll|vedligehold|vedlikehold|huolto(?:katko|ty(?:ö|o))"
    r"|(?:ú|u)dr(?:ž|z)b|odst(?:á|a)vk|do(?:č|c)asn(?:ě|e) nedostupn|bak(?:ı|i)mda"
    r"|bak(?:ı|i)m (?:(?:ç|c)al|mod)|karbantart|mentenan|техническ(?:ие|их|ое) (?:работ|обслуж)"
    r"|временно недоступ|メンテナンス中|メンテナンスのため|ただいまメンテナンス|维护中|系统维护|維護中|正在维护"
    r"|점검 중"
)
_CANNOT_ENTER = (
    r"(?:not|n.t) verify (?:your|the) (?:credentials|password)|credentials .{0,20}(?:not|n.t) (?:be )?verified"
    r"|(?:could not|couldn.t|cannot|can.t|unable to) (?:be )?(?:log|sign|authenticate)\w*(?: you)? ?(?:in|on)?"
    r"|\bno (?:such |matching )?(?:user |customer )?(?:account|user|member|customer)\b(?:\.|$"
    r"|.{0,40}(?:match|found|exist|correspond))"
    r"|\bkeine? (?:passend\w* )?(?:konto|account|benutzer\w*|nutzer\w*|kunde\w*)\b.{0,60}gefunden"
    r"|access denied|not authori[sz]ed|authentication (?:failed|error|unsuccessful)|unauthori[sz]ed"
    r"|(?:log|sign)(?:-| )?(?:in|on) (?:error|was unsuccessful|unsuccessful)|zugriff verweigert"
    r"|anmeldung (?:ist )?(?:fehlgeschlagen|nicht m(?:ö|oe)glich)|acc(?:è|e)s refus(?:é|e)|acceso denegado"
    r"|accesso negato|toegang geweigerd|acesso negado|odmowa dost(?:ę|e)pu|(?:å|a)tkomst nekad"
    r"|adgang n(?:æ|ae)gtet|ingen tilgang|p(?:ä|a)(?:ä|a)sy ev(?:ä|a)tty|p(?:ř|r)(?:í|i)stup odep(?:ř|r)en"
    r"|eri(?:ş|s)im engellendi|доступ запрещ|доступ запрещён|認証に失敗|拒绝访问|访问被拒绝|认证失败|验证失败"
)
_RIGHT_ONES = (
    # Politely: what was sent is not named, only what should have been.
    r"(?:enter|provide|supply|type|use) (?:in )?(?:an? |the |your )?(?:correct|valid|right) .{{0,15}}(?:{nouns})"
    r"|(?:g(?:ü|ue)ltige|korrekte|richtige)[nrs]? .{{0,15}}(?:{nouns}).{{0,60}} (?:ein|an)(?:geben)?\b"
    r"|(?:saisi|entrez|introdu|ingres|inseri|insira|digite|informe|entre com).{{0,60}}(?:{nouns})"
    r".{{0,30}}\b(?:valides?|corrects?|correct[oa]s?|v(?:á|a)lid[oa]s?|corrett[ioea]|valid[ieoa]|corret[oa]s?)\b"
    r"|(?:voer|vul|ange|skriv|indtast|oppgi|wprowad(?:ź|z)|podaj|zadejte|vypl(?:ň|n)te|введите) .{{0,15}}"
    r"(?:correct|juist|geldig|korrekt|giltig|gyldig|riktig|poprawn|prawid|spr(?:á|a)vn|platn|правильн|корректн|верн)"
    r"\w* .{{0,15}}(?:{nouns})"
    r"|do(?:ğ|g)ru .{{0,15}}(?:{nouns}).{{0,40}}girin"
    r"|正しい.{{0,15}}(?:{nouns})|(?:正确|正確|有效)的?.{{0,10}}(?:{nouns})"
)


_CHECK_THEM = (
    r"check (?:that )?(?:your|the) .{0,40}(?:password|credentials|log-?in details)"
    r"|pr(?:ü|ue)fen sie .{0,40}(?:passwort|kennwort|zugangsdaten|anmeldedaten)"
    r"|v(?:é|e)rifiez .{0,40}(?:mot de passe|identifiants)"
    r"|(?:revis[ae]|verifi(?:ca|que)|comprueb[ae]) .{0,40}(?:contrase(?:ñ|n)a|credenciales)"
    r"|(?:controlla|verifica)(?:re)? .{0,40}(?:password|credenziali)|controleer .{0,40}wachtwoord"
    r"|verifique .{0,40}senha"
)
# What keeps somebody out, but says nothing of what they gave.
_OF_THE_PAGE = (
    r"csrf|token|cookie|session|sitzung|javascript|browser|timed? ?out|expired|reload|refresh"
    r"|\bsent\b|gesendet|envoy(?:é|e)|enviado|inviat|verif|confirm|activat|approv|bestätig|aktivier|freigeschaltet"
)
# What a site tells somebody who is in, of others who were not.
_BEFORE = (
    r"since (?:your |the )?(?:last|previous)|last (?:failed|unsuccessful|successful)|(?:ins?|ons?|attempts) today"
    r"|seit .{0,20}letzten|depuis .{0,20}derni(?:è|e)re|desde .{0,20}(?:ú|u)ltim"
)

# The whole answer, without a word of what it is about.
_NO = (
    r"^\W*(?:incorrect|wrong\b|invalid\b|nope\b|denied|that.s not right|not (?:right|correct|valid)"
    r"|falsch|ung(?:ü|ue)ltig|faux|errone|sbagliat|errat|onjuist|fout\b|errad|incorret|nieprawid|b(?:ł|l)(?:ę|e)dn|felakt|forkert|feil\b"
    r"|v(?:ä|a)(?:ä|a)r|(?:š|s)patn|hib(?:á|a)s|yanl(?:ı|i)(?:ş|s)|неверн|невірн|неправильн|λάθος)"
)


def _near(one: str, other: str) -> str:
    return rf"(?:{one}).{{0,60}}(?:{other})|(?:{other}).{{0,60}}(?:{one})"


_NEGATIVE_WORDS = re.compile(_NEGATIVE, re.IGNORECASE)
_EXPIRED_WORDS = re.compile(_EXPIRED, re.IGNORECASE)
_NOT_LOCKED = re.compile(_NEVER_LOCKED, re.IGNORECASE)
_NOT_EXPIRED = re.compile(_NOT_YET, re.IGNORECASE)
_CURTLY = re.compile(_NO, re.IGNORECASE)
_OR_LOCKED = re.compile(rf"\b(?:or|oder|ou|of|eller|или)\b.{{0,40}}(?:{_LOCKED})", re.IGNORECASE)
_LOG_IN = re.compile(_EITHER, re.IGNORECASE)
_NOT_THE_LOG_IN = re.compile(_OF_THE_PAGE, re.IGNORECASE)
_OF_EARLIER_ONES = re.compile(_BEFORE, re.IGNORECASE)
_SHORTEST_NAME = 4
_SAYINGS: tuple[tuple[Saying, re.Pattern[str]], ...] = (
    (Saying.PASSWORD_EXPIRED, re.compile(_near(_PASSWORD, _EXPIRED), re.IGNORECASE)),
    (Saying.ACCOUNT_LOCKED, re.compile(_near(f"{_EITHER}|access", _LOCKED), re.IGNORECASE)),
    (Saying.RATE_LIMITED, re.compile(_MANY, re.IGNORECASE)),
    (Saying.HUMAN_ASKED_FOR, re.compile(_HUMAN, re.IGNORECASE)),
    (Saying.MAINTENANCE, re.compile(_MAINTENANCE, re.IGNORECASE)),
    (Saying.REFUSED, re.compile(f"{_near(_EITHER, _NEGATIVE)}|{_CANNOT_ENTER}|{_CHECK_THEM}", re.IGNORECASE)),
    (Saying.REFUSED, re.compile(_RIGHT_ONES.format(nouns=_EITHER), re.IGNORECASE)),
)


def _says_either(text: str) -> bool:
    """Whether it says that what was given is wrong, or else that the account is locked."""
    return _OR_LOCKED.search(text) is not None and _NEGATIVE_WORDS.search(text) is not None


@lru_cache(maxsize=4096)
def saying_of(text: str) -> Saying | None:
    """What one line or notice of a page says about the log-in; None when nothing."""
    for saying, words in _SAYINGS:
        if words.search(text):
            if saying is Saying.PASSWORD_EXPIRED and _NOT_EXPIRED.search(text):
                continue
            if saying is Saying.ACCOUNT_LOCKED and (_NOT_LOCKED.search(text) or _says_either(text)):
                continue
            if saying is Saying.REFUSED and _OF_EARLIER_ONES.search(text):
                continue
            return saying
    return None


def refuses_code(text: str) -> bool:
    """Whether a text that came after a one-time code was sent says that the code was not taken."""
    return bool(_NEGATIVE_WORDS.search(text) or _EXPIRED_WORDS.search(text)) or saying_of(text) is Saying.REFUSED


def is_about_log_in(text: str, *names: str) -> bool:
    """Whether a notice names the account or the password, in whatever sense, and not the page that asked for them.
    `names` is what the page itself calls them."""
    own = any(len(name) >= _SHORTEST_NAME and name.casefold() in text.casefold() for name in names)
    asks = text.endswith("?")
    return (own or _LOG_IN.search(text) is not None) and _NOT_THE_LOG_IN.search(text) is None and not asks


def refuses_curtly(text: str) -> bool:
    """Whether a notice that came after a password was sent says no, and nothing of what it says no to."""
    return _CURTLY.search(text) is not None and _NOT_THE_LOG_IN.search(text) is None
