// One look at a page that sells; the fields are those of ShopPage in shop.py. arguments: the text to look for, or
// null; what controls say (shop_words.py).
const [expected, said] = arguments;
const [FINAL, EXPRESS, CHECKOUT, BASKET] = said.map((pattern) => new RegExp(pattern, "i"));
const PRICE = /(?:[€$£¥₹]|\b(?:USD|EUR|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|INR|BRL|CAD|AUD|kr|zł)\b)\s?\d|\d[\d.,'\u00a0 ]*\s?(?:[€$£¥₹]|,-|(?:USD|EUR|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|INR|BRL|CAD|AUD|kr|zł)\b)/i;
const OTHER = /wish.?list|compare|remove|delete|continue shopping|paypal|apple.?pay|google.?pay|klarna|share/i;
const STEP = /shipping|delivery|billing|payment|lieferadresse|versand|zahlungsart|rechnungsadresse|livraison|facturation|paiement|envío|entrega|bezorg|betaal|spedizione|pagamento/i;
const STEP_FIELD = /street-address|address-line|postal-code|^country|cc-|shipping|billing|postcode|zip|\baddress\b|adresse|strasse|straße|card.?number/i;

function* deep(root) {
  for (const node of root.querySelectorAll("*")) {
    yield node;
    if (node.shadowRoot) yield* deep(node.shadowRoot);
  }
}
const visible = (node) => {
  if (!node.getClientRects().length) return false;
  return node.checkVisibility ? node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) : true;
};
const words = (node) => [node.innerText, node.value, node.getAttribute("aria-label"), node.title, node.alt]
  .filter((text) => typeof text === "string" && text).join(" ").replace(/\s+/g, " ").trim();
const all = document.documentElement ? [...deep(document)] : [];
const text = [document.body, ...all.filter((node) => node.shadowRoot).flatMap((node) => [...node.shadowRoot.children])]
  .map((node) => (node && node.innerText) || "").join("\n").replace(/[\s\u00a0]+/g, " ");
const squeezed = (wanted) => wanted.replace(/[\s\u00a0]+/g, " ").trim().toLowerCase();

const controls = { express: null, checkout: null, basket: null };
let final = false;
for (const node of all) {
  const clickable = /^(A|BUTTON)$/.test(node.tagName) || node.getAttribute("role") === "button" ||
    (node.tagName === "INPUT" && /^(submit|button|image)$/.test(node.type)) || (node.tagName.includes("-") && /button|btn/i.test(node.tagName));
  if (!clickable || !visible(node)) continue;
  const label = words(node);
  if (!label || label.length > 60) continue;
  if (FINAL.test(label)) { final = true; continue; }
  if (node.disabled || node.getAttribute("aria-disabled") === "true" || OTHER.test(label)) continue;
  if (EXPRESS.test(label)) controls.express ??= node;
  else if (BASKET.test(label)) controls.basket ??= node;
  else if (CHECKOUT.test(label)) controls.checkout ??= node;
}
const fields = all.filter((node) => /^(INPUT|SELECT|TEXTAREA)$/.test(node.tagName) && node.type !== "hidden" && visible(node));
const about = (node) => [node.autocomplete, node.name, node.id, node.placeholder, node.getAttribute("aria-label"),
  ...(node.labels ? [...node.labels].map((label) => label.textContent) : [])].filter(Boolean).join(" ");
const stepFields = fields.filter((node) => STEP_FIELD.test(about(node)) || STEP.test(about(node))).length;
const headings = all.filter((node) => /^(H1|H2|H3|LEGEND)$/.test(node.tagName) && visible(node)).map(words);
const spoken = headings.filter((heading) => STEP.test(heading) || CHECKOUT.test(heading)).length;
const placed = /checkout|kasse|commande|pago|afrekenen|cassa/i.test(location.pathname + location.hash);
return {
  text_found: expected === null ? null : text.toLowerCase().includes(squeezed(expected)),
  price: PRICE.test(text),
  // Where something else leads on as well, a binding button is a short cut of a product page.
  at_checkout: (final && !controls.express && !controls.basket) || stepFields >= 2 || (stepFields >= 1 && spoken >= 1) || (spoken >= 1 && placed),
  checkout_path: placed,
  empty: !text.trim() && !all.some((node) => /^(IMG|CANVAS|VIDEO|SVG|IFRAME)$/i.test(node.tagName) && visible(node)),
  ...controls,
};
