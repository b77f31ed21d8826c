// One look at the page; the fields are those of PageState in page.py.
const REFUSED = new RegExp([
  "(wrong|incorrect|invalid|unknown|bad|falsch|ung(ü|ue)ltig|incorrecte?s?|invalide|non valid[oaie]|incorrect[oa]s?|err(ó|o)ne[oa]|no v(á|a)lid[oa]|onjuist|ongeldig)" +
    ".{0,60}(user|e-?mail|password|passwort|kennwort|log-?in|sign-?in|credential|account|benutzer|anmelde|mot de passe|identifiant|contrase(ñ|n)a|usuario|wachtwoord|gebruiker|passphrase|username|details)",
  "(user|e-?mail|password|passwort|kennwort|log-?in|sign-?in|credential|account|benutzer|anmelde|mot de passe|identifiant|contrase(ñ|n)a|usuario|wachtwoord|gebruiker|details)" +
    ".{0,60}(wrong|incorrect|invalid|unknown|not recogni[sz]ed|not found|doesn.t match|does not match|do not match|don.t match|not match|not correct|failed|denied|falsch|ung(ü|ue)ltig|nicht gefunden|stimmt nicht|incorrecte?|invalide|incorrect[oa]s?|onjuist|locked|blocked|disabled|gesperrt|suspended)",
  "(log-?in|sign-?in|authentication|anmeldung) (failed|error|fehlgeschlagen|unsuccessful|denied)",
  "(could not|couldn.t|cannot|can.t|unable to) (log|sign) (you )?in",
  "access denied|too many (failed |log-?in |sign-?in )?(attempts|tries)",
].join("|"), "i");
const LOGOUT = /\b(log ?out|sign ?out|log ?off|sign ?off|abmelden|ausloggen|d(é|e)connexion|se d(é|e)connecter|cerrar sesi(ó|o)n|salir|uitloggen|afmelden|esci|disconnetti)\b/i;
const NOTICE = /(^|[-_ ])(alert|error|errors|err|invalid|danger|warning|fail|failed|failure|flash|message|notice|toast|feedback|snackbar)([-_ ]|$)/i;

function* deep(root) {
  for (const node of root.querySelectorAll("*")) {
    yield node;
    if (node.shadowRoot) yield* deep(node.shadowRoot);
  }
}
const visible = (node) => {
  if (!node.getClientRects().length) return false;
  if (node.checkVisibility) return node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  return getComputedStyle(node).visibility !== "hidden";
};
const words = (node) => (node.innerText || node.textContent || "").replace(/\s+/g, " ").trim();

const notices = [];
let welcomes = false, captcha = false, asksCode = false;
for (const node of document.documentElement ? deep(document) : []) {
  const tag = node.tagName.toLowerCase();
  if (tag === "iframe" && /recaptcha\/api2\/bframe|hcaptcha.*challenge|challenges\.cloudflare|arkoselabs|datadome/i.test(node.src) && visible(node)) captcha = true;
  if (tag === "input" && visible(node)) {
    const about = [node.autocomplete, node.name, node.id, node.placeholder].join(" ");
    if (/one-time-code|\botp\b|totp|mfa|2fa|two.?factor|verification.?code|security.?code/i.test(about)) asksCode = true;
  }
  if (/^(a|button|input)$/.test(tag) || node.getAttribute("role") === "menuitem") {
    const label = [words(node), node.value, node.getAttribute("aria-label"), node.getAttribute("href")].join(" ").slice(0, 300);
    if (LOGOUT.test(label) || /log-?out|sign-?out|logoff/i.test(node.getAttribute("href") || "")) welcomes = true;
  }
  if (tag === "form" && /log-?out|sign-?out/i.test(node.getAttribute("action") || "")) welcomes = true;
  const role = node.getAttribute("role");
  if (role === "alert" || node.getAttribute("aria-live") === "assertive" || NOTICE.test(String(node.getAttribute("class") || "") + " " + node.id)) {
    const text = words(node);
    if (text.length >= 3 && text.length <= 300 && visible(node) && !notices.includes(text)) notices.push(text);
  }
}
const body = document.body ? document.body.innerText || "" : "";
const lines = body.split("\n").map((text) => text.trim()).filter((text) => text.length <= 200);
const refusals = [...new Set([...notices, ...lines].filter((text) => REFUSED.test(text)))].slice(0, 5);
const navigation = performance.getEntriesByType("navigation")[0];
// WebKit shows nothing at all when a page can't be loaded.
const nothing = window === window.top && location.href === "about:blank";
const errorPage = location.protocol === "chrome-error:" || location.href.startsWith("about:neterror") || nothing;
return {
  url: location.href,
  status: (navigation && navigation.responseStatus) || 0,
  complete: document.readyState !== "loading",
  error_page: errorPage,
  error_code: nothing ? "ERR_NOT_TOLD" : errorPage ? ((body.match(/ERR_[A-Z0-9_]+/) || [""])[0]) : "",
  refusals, notices, welcomes, captcha,
  asks_code: asksCode,
  text_length: body.length,
};
