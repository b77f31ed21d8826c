// The log-in form: {kind, score, user, password, submit, says, sign, called, filled}. kind: "both" on one page, "user" (name first),
// "password" (name given before).
const writable = inputs.filter((node) => !node.readOnly || node.type === "password");
const onceOnly = (node) => /one-time-code/.test(node.autocomplete) || node.maxLength === 1 || (CODE.test(about(node)) && !/passcode|pass code|\bpin\b/.test(about(node)));
// Some sites hide what is typed into a plain field by its style.
const hidesText = (node) => node.type === "password" || !["none", "", undefined].includes(getComputedStyle(node).webkitTextSecurity);
const passwords = writable.filter((node) => hidesText(node) && !onceOnly(node));
const asksNewPassword = () => passwords.some((node) => /new-password/.test(node.autocomplete) || NEW_PASSWORD.test(about(node)));
const texts = writable.filter((node) => ["text", "email", "tel", "number", "search", "url"].includes(node.type) && !passwords.includes(node) && !/one-time-code/.test(node.autocomplete));

// Without a form element, the field's surroundings are the smallest ancestor that also holds a control to send it.
const scopeOf = (field) => {
  if (field.form) return field.form;
  for (let at = parent(field); at; at = parent(at)) {
    const inside = holding(at);
    if (at.tagName === "BODY" || (buttons.some(inside) && (!passwords.includes(field) || texts.some(inside)))) return at;
  }
  return document.body;
};
const userScore = (node) => {
  const text = about(node);
  let score = 0;
  if (/username|email|webauthn/.test(node.autocomplete)) score += 4;
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
    if (LOG_IN.test(text)) score += 6;
    if (NEXT.test(text)) score += 3;
    if (node.type === "submit" || node.type === "image") score += 2;
    if (OTHER.test(text)) score -= 8;
    if (REGISTER.test(text)) score -= 8;
    if (AWAY.test(text)) score -= 6;
    if (node.getAttribute("aria-haspopup") || node.getAttribute("aria-expanded")) score -= 3;
    score += order.get(node) > order.get(after) ? 1 : -2;
    if (score > bestScore) [best, bestScore] = [node, score];
  }
  return best;
};
const textOf = (scope) => (scope.tagName === "BODY" ? "" : scope.innerText || "") + " " + (scope.getAttribute("action") || "") + " " + scope.id + " " + scope.className;
const form = (kind, score, user, password, submit, scope) => {
  const fields = [user, password].filter(Boolean);
  return {
    kind, score, user, password, submit, scope,
    says: submit ? first(submit).slice(0, 40) : "",
    sign: [user, password].map((node) => node ? [node.name, node.autocomplete, labelOf(node)].join(":") : "").join("|"),
    called: fields.flatMap((node) => [labelOf(node), node.placeholder, node.getAttribute("aria-label")]).filter(Boolean),
    filled: [user, password].map((node) => node ? node.value.length : 0),
    invalid: fields.some((node) => node.getAttribute("aria-invalid") === "true"),
  };
};

const withPassword = (password) => {
  const scope = scopeOf(password);
  const inside = holding(scope);
  const before = texts.filter(inside).filter((node) => order.get(node) < order.get(password));
  const ranked = before.map((node, index) => [userScore(node) + index / 100, node]).sort((a, b) => b[0] - a[0]);
  const user = ranked.filter(([score]) => score > -3).map(([, node]) => node)[0] || null;
  const submit = submitFor(scope, password);
  let score = 10 + (user ? 4 : 0) + (submit ? 2 : 0);
  if (LOG_IN.test(textOf(scope))) score += 4;
  if (submit && LOG_IN.test(words(submit))) score += 4;
  if (submit && REGISTER.test(words(submit))) score -= 10;
  if (passwords.filter(inside).length > 1) score -= 12;
  if (/current-password/.test(password.autocomplete)) score += 3;
  if (/new-password/.test(password.autocomplete)) score -= 8;
  if (NEW_PASSWORD.test(about(password))) score -= 8;
  if (password.getAttribute("tabindex") === "-1") score -= 4;
  return form(user ? "both" : "password", score, user, password, submit, scope);
};
const nameFirst = (user) => {
  const scope = scopeOf(user);
  const inside = holding(scope);
  if (passwords.some(inside)) return null;
  const submit = submitFor(scope, user);
  const says = submit ? words(submit) : "";
  let score = userScore(user);
  if (LOG_IN.test(textOf(scope))) score += 3;
  if (LOG_IN.test(says) || NEXT.test(says)) score += 2;
  if (/subscribe|newsletter|search|such|apply|abonn|notify/i.test(says + " " + textOf(scope))) score -= 6;
  if (REGISTER.test(says)) score -= 6;
  if (AWAY.test(says)) score -= 3;
  if (/forgot|reset|recover|vergessen|oubli|olvid/i.test(location.pathname)) score -= 4;
  if (texts.filter(inside).length > 2) score -= 3;
  return score >= 5 ? form("user", score, user, null, submit, scope) : null;
};
const bestForm = () => {
  const found = [...passwords.map(withPassword), ...texts.map(nameFirst)].filter((each) => each && each.score >= 5);
  return found.sort((a, b) => b.score - a.score)[0] || null;
};
