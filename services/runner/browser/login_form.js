// Finds what a person would log in with: candidates, best first, each {kind, score, user, password, submit, opener}.
// kind: "both" (one page), "user" (name first), "password" (name given before), "opener" (a control that leads to a form).
const GOOD = /log[ -]?in|log[ -]?on|sign[ -]?in|anmeld|einlogg|connexion|se connecter|connect|iniciar|entrar|acceder|inloggen|aanmelden|accedi|logga in|logowanie|zaloguj|войти|登录|ログイン/i;
const NEXT = /next|continue|weiter|suivant|siguiente|volgende|avanti|proceed|submit|go$|ok$|senden|fortfahren|continuar/i;
const OTHER = /google|facebook|apple|microsoft|github|twitter|linkedin|amazon|paypal|\bsso\b|single sign|saml|passkey|qr code|magic link/i;
const REGISTER = /regist|sign[ -]?up|create (an |your )?account|join|konto erstellen|s'inscrire|inscription|crear cuenta|aanmaken|new customer|neu(er|es) kunde/i;
const AWAY = /forgot|vergessen|reset|oubli|olvid|vergeten|cancel|abbrechen|back$|zur(ü|u)ck|close|show|hide|anzeigen|search|such|subscribe|newsletter|clear|language|help|cookie/i;
const USER = /user|login|log-in|e-?mail|account|konto|benutzer|kennung|identif|usuario|correo|gebruiker|utente|member|kunden|phone|username|\bname\b|\bid\b/i;
const NOT_USER = /search|such|query|\bq\b|newsletter|subscribe|coupon|voucher|first.?name|last.?name|zip|city|street|captcha|otp|one-time|token|filter|comment|message|subject|url|website/i;

function* deep(root) {
  for (const node of root.querySelectorAll("*")) {
    yield node;
    if (node.shadowRoot) yield* deep(node.shadowRoot);
  }
}
const parent = (node) => node.parentElement || (node.getRootNode() instanceof ShadowRoot ? node.getRootNode().host : null);
const visible = (node) => {
  const box = node.getBoundingClientRect();
  if (box.width < 4 || box.height < 4 || box.right + scrollX < 0 || box.bottom + scrollY < 0) return false;
  if (getComputedStyle(node).visibility !== "visible") return false;
  let opacity = 1;
  for (let at = node; at; at = parent(at)) {
    const style = getComputedStyle(at);
    if (style.display === "none") return false;
    if (at.getAttribute("aria-hidden") === "true" || at.inert) return false;
    opacity *= parseFloat(style.opacity);
  }
  return opacity > 0.1;
};
const words = (node) => [node.innerText, node.value, node.getAttribute("aria-label"), node.title, node.alt].filter(Boolean).join(" ").replace(/\s+/g, " ").trim().slice(0, 80);
const about = (node) => {
  const labels = node.labels ? [...node.labels].map((label) => label.textContent).join(" ") : "";
  const described = (node.getAttribute("aria-labelledby") || "").split(" ").map((id) => id && document.getElementById(id)?.textContent).join(" ");
  return [node.name, node.id, node.placeholder, node.getAttribute("aria-label"), node.autocomplete, labels, described].filter(Boolean).join(" ").toLowerCase();
};
const all = document.documentElement ? [...deep(document)] : [];
const order = new Map(all.map((node, index) => [node, index]));
const inputs = all.filter((node) => node.tagName === "INPUT" && visible(node) && !node.disabled && !node.readOnly);
const passwords = inputs.filter((node) => node.type === "password" && !/one-time-code/.test(node.autocomplete));
const texts = inputs.filter((node) => ["text", "email", "tel", "number", "search", "url"].includes(node.type));
const buttons = all.filter((node) => visible(node) && (
  node.tagName === "BUTTON" || node.getAttribute("role") === "button" || (node.tagName === "INPUT" && /^(submit|image|button)$/.test(node.type)) ||
  (node.tagName.includes("-") && /button|btn/i.test(node.tagName))));
const enabled = (node) => !node.disabled && node.getAttribute("aria-disabled") !== "true";

// Without a form element, the field's surroundings are the smallest ancestor that also holds a control to send it.
const scopeOf = (field) => {
  if (field.form) return field.form;
  for (let at = parent(field); at; at = parent(at)) {
    const inside = holding(at);
    if (at.tagName === "BODY" || (buttons.some(inside) && (field.type !== "password" || texts.some(inside)))) return at;
  }
  return document.body;
};
const holding = (scope) => (node) => {
  for (let at = node; at; at = parent(at)) if (at === scope) return true;
  return node.form === scope && scope.tagName === "FORM";
};
const userScore = (node) => {
  const text = about(node);
  let score = 0;
  if (/username|email/.test(node.autocomplete)) score += 4;
  if (node.type === "email") score += 2;
  if (USER.test(text)) score += 3;
  if (NOT_USER.test(text) || node.type === "search" || node.closest("[role=search]")) score -= 6;
  if (node.getAttribute("tabindex") === "-1") score -= 3;
  return score;
};
const submitFor = (scope, after) => {
  let best = null, bestScore = -1;
  for (const node of buttons.filter(holding(scope)).filter(enabled)) {
    const text = words(node);
    let score = 0;
    if (GOOD.test(text)) score += 6;
    if (NEXT.test(text)) score += 3;
    if (node.type === "submit" || node.type === "image") score += 2;
    if (OTHER.test(text)) score -= 8;
    if (REGISTER.test(text)) score -= 8;
    if (AWAY.test(text)) score -= 6;
    score += order.get(node) > order.get(after) ? 1 : -2;
    if (score > bestScore) [best, bestScore] = [node, score];
  }
  return best;
};

const found = [];
for (const password of passwords) {
  const scope = scopeOf(password);
  const inside = holding(scope);
  const siblings = passwords.filter(inside);
  const before = texts.filter(inside).filter((node) => order.get(node) < order.get(password));
  const user = before.map((node, index) => [userScore(node) + index / 100, node]).sort((a, b) => b[0] - a[0]).filter(([score]) => score > -3).map(([, node]) => node)[0] || null;
  const text = (scope.tagName === "BODY" ? "" : (scope.innerText || "")) + " " + (scope.getAttribute("action") || "") + " " + scope.id + " " + scope.className;
  const submit = submitFor(scope, password);
  let score = 10 + (user ? 4 : 0) + (submit ? 2 : 0);
  if (GOOD.test(text)) score += 4;
  if (submit && GOOD.test(words(submit))) score += 4;
  if (submit && REGISTER.test(words(submit))) score -= 10;
  if (siblings.length > 1) score -= 12;
  if (/current-password/.test(password.autocomplete)) score += 3;
  if (/new-password/.test(password.autocomplete)) score -= 8;
  if (/confirm|repeat|again|new|wiederh/.test(about(password))) score -= 8;
  if (password.getAttribute("tabindex") === "-1") score -= 4;
  found.push({ kind: user ? "both" : "password", score, user, password, submit, opener: null });
}
for (const user of texts) {
  const scope = scopeOf(user);
  const inside = holding(scope);
  if (passwords.some(inside)) continue;
  let score = userScore(user);
  const submit = submitFor(scope, user);
  const text = (scope.tagName === "BODY" ? "" : (scope.innerText || "")) + " " + (scope.getAttribute("action") || "") + " " + scope.id;
  if (GOOD.test(text)) score += 3;
  if (submit && (GOOD.test(words(submit)) || NEXT.test(words(submit)))) score += 2;
  if (submit && /subscribe|newsletter|search|such|apply|abonn/i.test(words(submit) + " " + text)) score -= 6;
  if (REGISTER.test(submit ? words(submit) : "")) score -= 6;
  if (texts.filter(inside).length > 2) score -= 3;
  if (score >= 5) found.push({ kind: "user", score, user, password: null, submit, opener: null });
}
if (!found.length) {
  for (const node of all) {
    if (!/^(A|BUTTON)$/.test(node.tagName) && node.getAttribute("role") !== "button") continue;
    const text = words(node);
    if (text.length > 40 || !GOOD.test(text) || OTHER.test(text) || REGISTER.test(text) || !visible(node) || !enabled(node)) continue;
    found.push({ kind: "opener", score: 1, user: null, password: null, submit: null, opener: node });
    break;
  }
}
return found.sort((a, b) => b.score - a.score).slice(0, 5);
