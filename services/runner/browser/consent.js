// Answers a consent dialog that covers the page; returns whether it found one.
const CONSENT = /cookie|consent|privacy|datenschutz|gdpr|dsgvo|rgpd|tracking/i;
const ANSWER = /^(reject|decline|refuse|only necessary|necessary only|nur notwendige|ablehnen|refuser|accept|agree|allow|got it|ok$|akzeptieren|alle akzeptieren|zustimmen|accepter|tout accepter|aceptar|accetta)/i;
function* deep(root) {
  for (const node of root.querySelectorAll("*")) {
    yield node;
    if (node.shadowRoot) yield* deep(node.shadowRoot);
  }
}
for (const node of deep(document)) {
  if (!/^(BUTTON|A|INPUT)$/.test(node.tagName) && node.getAttribute("role") !== "button") continue;
  const label = (node.innerText || node.value || "").trim();
  if (!ANSWER.test(label) || !node.getClientRects().length) continue;
  for (let at = node; at && at !== document.body; at = at.parentElement || at.getRootNode().host) {
    if (CONSENT.test([at.id, at.className, at.getAttribute("aria-label"), (at.innerText || "").slice(0, 400)].join(" "))) {
      node.click();
      return true;
    }
  }
}
return false;
