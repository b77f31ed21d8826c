// One look at the page for somebody who logs in. arguments: closed roots, roles of controls asked for, signs of the
// controls tried, the marker {css, text} of somebody who is in; the answer's fields are those of Look in look.py.
const [, roles, tried, marker] = arguments;
const notices = [];
let welcomes = false, shows_way_out = false, captcha = false;
const leadsOut = (node) => {
  welcomes = true;
  shows_way_out = shows_way_out || shown(node);
};
const hosts = [];
for (const node of all) {
  const tag = node.tagName;
  if (tag === "IFRAME" && /recaptcha\/(api2|enterprise)\/(bframe|anchor(?!.*size=invisible))|hcaptcha.*(challenge|checkbox)|challenges\.cloudflare|arkoselabs|datadome|captcha-delivery/i.test(node.src) && shown(node) && inView(node)) captcha = true;
  if (/^(A|BUTTON|INPUT)$/.test(tag) || /^(menuitem|button|link)$/.test(node.getAttribute("role") || "")) {
    const label = tag === "INPUT" && !/^(submit|button|image)$/.test(node.type) ? "" : briefly(node) || tidy(node.textContent).slice(0, 80);
    const path = (node.getAttribute("href") || "").split("?")[0];
    if ((label.length <= 40 && LOG_OUT.test(label)) || /log-?out|sign-?out|logoff|signoff/i.test(path)) leadsOut(node);
  }
  if (tag === "FORM" && /log-?out|sign-?out|logoff/i.test(node.getAttribute("action") || "")) leadsOut(node);
  if (tag === "INPUT" && CAPTCHA.test(node.id + " " + about(node)) && node.type !== "hidden" && shown(node)) captcha = true;
  const said = /^(alert|status|alertdialog)$/.test(node.getAttribute("role") || "") || /assertive|polite/.test(node.getAttribute("aria-live") || "");
  if (notices.length < 20 && (said || NOTICE_CLASS.test(String(node.getAttribute("class") || "") + " " + node.id))) {
    const text = tidy(node.innerText || node.textContent);
    const holdsForm = node.querySelector("input:not([type=hidden]), select, textarea") !== null;
    if (text.length >= 3 && text.length <= 300 && shown(node) && !notices.includes(text) && !holdsForm) notices.push(text);
  }
  if (hosts.length < 12 && !rootOf(node) && (tag.includes("-") || (/^(DIV|SECTION|SPAN|MAIN)$/.test(tag) && !node.firstChild && node.getBoundingClientRect().height > 30))) hosts.push(node);
}
const inner = all.filter(rootOf).flatMap((host) => [...rootOf(host).children].map((child) => child.innerText || ""));
const body = [document.body ? document.body.innerText || "" : "", ...inner].join("\n");
const lines = [...new Set(body.split("\n").map(tidy).filter((text) => text.length >= 3 && text.length <= 200))].slice(0, 200);
const best = bestForm();
const code = codeForm(body.slice(0, 3000));
const short = body.length < 2500;
const wanted = roles.filter((role) => {
  if (role === "decline" || role === "acknowledge") return short && !best && ASKS.test(body) && (role === "decline" || !AGREES.test(body));
  if (role === "allow") return !best && ACCESS.test(body);
  return role === "authenticator" ? !best && (CODE.test(body) || AUTHENTICATOR.test(body)) : true;
});
const marked = () => {
  const inBody = marker.text && tidy(body).toLowerCase().includes(tidy(marker.text).toLowerCase());
  return Boolean(inBody || (marker.css && all.some((node) => node.matches(marker.css) && visible(node))));
};
const wellFormed = () => {
  try {
    document.createDocumentFragment().querySelector((marker && marker.css) || "*");
    return true;
  } catch {
    return false;
  }
};
const marker_valid = wellFormed();
return {
  ...pageState(),
  form: best && { ...best, scope: undefined },
  code: code && { ...code, submit: code.submit },
  ways: waysOf(wanted, tried),
  asks: wanted.includes("decline") || (short && ASKS.test(body)),
  hosts: best || code ? [] : hosts,
  frames: all.filter((node) => /^I?FRAME$/.test(node.tagName) && node.getBoundingClientRect().height > 20 && shown(node)).slice(0, 8),
  notices, lines, welcomes, shows_way_out, captcha,
  asks_new_password: asksNewPassword(),
  marker_valid,
  marked: marker ? marker_valid && marked() : null,
};
