// Controls that lead on where there is no form to fill: {role: {control, says, sign}}, only for the roles asked for.
const clickable = () => all.filter((node) =>
  (/^(A|BUTTON|SUMMARY)$/.test(node.tagName) || /^(button|link|menuitem|tab|option)$/.test(node.getAttribute("role") || "") || (node.tagName === "INPUT" && /^(submit|image|button|radio)$/.test(node.type)) ||
   (node.tagName.includes("-") && /button|btn|link/i.test(node.tagName)) || (/^(DIV|SPAN|LI)$/.test(node.tagName) && (node.onclick || node.hasAttribute("tabindex") && getComputedStyle(node).cursor === "pointer"))));
const signOf = (node) => [node.tagName, words(node), node.getAttribute("href") || "", node.id].join("|");
const hint = (node) => [words(node), node.id, String(node.getAttribute("class") || ""), node.getAttribute("href") || "", node.getAttribute("data-testid") || ""].join(" ");
const says = (node) => node.type === "radio" ? labelOf(node) : briefly(node);
const own = (node) => node.tagName === "INPUT" && node.type !== "radio" ? node.value : first(node);

const site = (host) => /[a-z]$/i.test(host) ? host.split(".").slice(-2).join(".") : host;
const leaves = (node) => /^https?:$/.test(node.protocol || "") && site(node.hostname) !== site(location.hostname);

const sends = (node) => node.form && node.type !== "button" && inputs.some((input) => input.form === node.form);

// A tab, or the like, that says which hidden part it shows: the one with the password.
const revealsPassword = (node) => {
  const names = [node.getAttribute("aria-controls"), ...["data-bs-target", "data-target", "href"].map((each) => /^#/.test(node.getAttribute(each) || "") && node.getAttribute(each).slice(1))];
  const part = names.map((name) => name && node.getRootNode().getElementById?.(name)).find(Boolean);
  const fields = part && !visible(part) ? [...part.querySelectorAll("input[type=password]")] : [];
  return fields.length === 1 && !/new-password/.test(fields[0].autocomplete) && !REGISTER.test(words(node) + " " + part.id);
};

const leadsBack = (node) => node.tagName === "A" && node.origin === location.origin && node.pathname.endsWith("/") && location.pathname.startsWith(node.pathname) && !node.search;
// What the button beside a list of identity providers sends: the only one there is to choose, or the one chosen already.
const chooses = (node) => {
  const lists = node.form ? [...node.form.elements].filter((each) => each.tagName === "SELECT" && visible(each)) : [];
  if (lists.length !== 1 || node !== submitFor(node.form, lists[0]) || !PROVIDERS.test(document.body.innerText.slice(0, 3000))) return null;
  const options = [...lists[0].options].filter((each) => each.value && !each.disabled);
  return options.length === 1 ? options[0] : options.find((each) => each.selected && each.index > 0) || null;
};

// What shows a hidden link when the mouse is over it.
const holderOf = (node) => {
  let at = parent(node);
  while (at && !visible(at)) at = parent(at);
  return at && !/^(HTML|BODY)$/.test(at.tagName) && at.getBoundingClientRect().height < 200 ? at : null;
};

const ROLES = {
  // A log-in link of the page's own log-in, however it is named.
  opener: (node, text) => text.length <= 40 && LOG_IN.test(text) && !OTHER.test(text) && !REGISTER.test(text) && !sends(node) ? 3 : !text && /log-?in|sign-?in/i.test(hint(node)) ? 2 : revealsPassword(node) ? 1 : 0,
  menu: (node, text) => text.length <= 30 && (ACCOUNT_MENU.test(hint(node)) || NOBODY.test(text)) && !REGISTER.test(text) && !/mailto:|tel:/.test(node.getAttribute("href") || "") && !leaves(node) ? (/account|profil|user|avatar|konto|compte|cuenta/i.test(hint(node)) ? 2 : 1) : 0,
  hover: (node, text) => text.length <= 40 && LOG_IN.test(text) && !OTHER.test(text) && !REGISTER.test(text) && !sends(node) && !visible(node) && holderOf(node) ? 1 : 0,
  password_way: (node, text) => text.length <= 60 && PASSWORD_WAY.test(text) && !/forgot|reset|vergessen|oubli|olvid|dimentic|vergeten|esquec/i.test(text) ? 2 : 0,
  provider: (node) => chooses(node) ? 1 : 0,
  sso: (node, text) => leadsBack(node) ? 0 : text.length <= 80 && SSO.test(text) && !NOT_SSO.test(text) && !REGISTER.test(text) ? (/\bsso\b|single|saml|company|work|corporate|enterprise|organi[sz]|firmen|unternehmen|entreprise|empresa|aziend|bedrijf/i.test(text) ? 4 : OTHER.test(text) ? 2 : 3) : /\b(sso|saml|oidc|oauth2?|openid)\b/i.test(hint(node)) && LOG_IN.test(text) ? 2 : 0,
  authenticator: (node, text) => text.length <= 120 && AUTHENTICATOR.test(text) && !NOT_AUTHENTICATOR.test(text) ? 3 : 0,
  decline: (node) => DECLINE.test(own(node)) ? 3 : 0,
  acknowledge: (node) => ACKNOWLEDGE.test(own(node)) ? 2 : 0,
  allow: (node) => ALLOW.test(own(node)) ? (/^(continue|yes|ja|confirm)/i.test(own(node)) ? 1 : 3) : 0,
};
const waysOf = (roles, tried) => {
  const found = {};
  const controls = roles.length ? clickable() : [];
  for (const role of roles) {
    const sign = (node) => (role === "hover" ? "hover|" : "") + signOf(node);
    let best = null, bestScore = 0;
    for (const node of controls) {
      const score = ROLES[role](node, says(node));
      if (score <= bestScore || (node.type !== "radio" && role !== "hover" && !visible(node)) || !enabled(node) || tried.includes(sign(node))) continue;
      [best, bestScore] = [node, score];
    }
    if (!best) continue;
    const [choice, submit] = role === "provider" ? [chooses(best), best] : role === "hover" ? [holderOf(best), null] : best.type === "radio" ? [best, submitFor(scopeOf(best), best)] : [best, null];
    found[role] = { control: choice, says: (role === "provider" ? tidy(choice.text) : says(best)).slice(0, 60), sign: sign(best), submit };
  }
  return found;
};
