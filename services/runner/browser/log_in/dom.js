// Walking what a person sees: shadow roots are entered, closed ones by the pairs [host, root] given as arguments[0].
const closedRoots = new Map(arguments[0] || []);
const rootOf = (node) => node.shadowRoot || closedRoots.get(node) || null;
function* deep(root) {
  for (const node of root.querySelectorAll("*")) {
    yield node;
    const inner = rootOf(node);
    if (inner) yield* deep(inner);
  }
}
const parent = (node) => node.parentElement || (node.getRootNode() instanceof ShadowRoot ? node.getRootNode().host : null);
const inView = (node) => {
  const box = node.getBoundingClientRect();
  return box.width >= 4 && box.height >= 4 && box.right + scrollX >= 0 && box.bottom + scrollY >= 0;
};
const visible = (node) => {
  if (!inView(node) || getComputedStyle(node).visibility !== "visible") return false;
  let opacity = 1;
  for (let at = node; at; at = parent(at)) {
    const style = getComputedStyle(at);
    if (style.display === "none" || at.getAttribute("aria-hidden") === "true" || at.inert) return false;
    opacity *= parseFloat(style.opacity);
  }
  return opacity > 0.1;
};
const shown = (node) => {
  if (!node.getClientRects().length) return false;
  if (node.checkVisibility) return node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  return getComputedStyle(node).visibility !== "hidden";
};
const enabled = (node) => !node.disabled && node.getAttribute("aria-disabled") !== "true";
const tidy = (text) => (text || "").replace(/\s+/g, " ").trim();
const words = (node) => {
  const image = node.querySelector && !node.innerText ? node.querySelector("img[alt], svg[aria-label], svg title") : null;
  const value = /^(INPUT|BUTTON)$/.test(node.tagName) && /^(submit|button|reset|image)$/.test(node.type) ? node.value : "";
  const texts = [tidy(node.innerText), value, node.getAttribute("aria-label"), node.title, node.alt, image && (image.alt || image.getAttribute("aria-label") || image.textContent)];
  return tidy([...new Set(texts.filter(Boolean))].join(" ")).slice(0, 80);
};
const first = (node) => tidy(node.innerText) || words(node);
// What a control is called: a tooltip that explains it at length is no part of that.
const briefly = (node) => {
  const said = words(node);
  return said.length <= 40 ? said : first(node).slice(0, 80);
};
const labelOf = (node) => {
  const labels = node.labels ? [...node.labels].map((label) => label.textContent) : [];
  const root = node.getRootNode();
  const described = (node.getAttribute("aria-labelledby") || "").split(" ").map((id) => id && root.getElementById?.(id)?.textContent);
  return tidy([...labels, ...described].filter(Boolean).join(" "));
};
const about = (node) => [node.name, node.id, node.placeholder, node.getAttribute("aria-label"), node.title, node.autocomplete, labelOf(node)].filter((text) => typeof text === "string" && text).join(" ").toLowerCase();

const all = document.documentElement ? [...deep(document)] : [];
const order = new Map(all.map((node, index) => [node, index]));
const inputs = all.filter((node) => node.tagName === "INPUT" && node.type !== "hidden" && visible(node) && !node.disabled);
const buttons = all.filter((node) => (
  node.tagName === "BUTTON" || node.getAttribute("role") === "button" || (node.tagName === "INPUT" && /^(submit|image|button)$/.test(node.type)) ||
  (node.tagName.includes("-") && /button|btn/i.test(node.tagName))) && visible(node));
const holding = (scope) => (node) => {
  for (let at = node; at; at = parent(at)) if (at === scope) return true;
  return node.form === scope && scope.tagName === "FORM";
};
