// arguments: the locators as sent, and what is needed: "usable" (visible and enabled), "visible" or "present";
// and what to say of a locator that is no CSS or XPath.
// Returns {position, element} of the first locator that has such an element, what became of each, and for a closed
// shadow root how far we came: [position, host, the selectors that are left].
const [locators, need, unreadable] = arguments;
function* deep(root) {
  for (const node of root.querySelectorAll("*")) {
    yield node;
    if (node.shadowRoot) yield* deep(node.shadowRoot);
  }
}
const squeezed = (text) => (text || "").replace(/[\s\u00a0]+/g, " ").trim().toLowerCase();
const visible = (node) => {
  if (!node.getClientRects().length) return false;
  if (node.checkVisibility) return node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  return getComputedStyle(node).visibility !== "hidden";
};
const enabled = (node) => {
  const control = node.closest("button, input, select, textarea, option");
  return !(control && control.matches(":disabled")) && !node.closest("[aria-disabled=true]");
};
const all = [...deep(document)];

// Those that say exactly this come before those that hold it.
const saying = (wanted, candidates) => {
  const exact = [], part = [];
  for (const [node, texts] of candidates) {
    if (texts.includes(wanted)) exact.push(node);
    else if (texts.some((text) => text.includes(wanted))) part.push(node);
  }
  return exact.length ? exact : part;
};
const isButton = (node) => node.tagName === "INPUT" && /^(submit|button|reset)$/.test(node.type);
const ofIds = (node, attribute) => (node.getAttribute(attribute) || "").split(/\s+/).filter(Boolean)
  .map((id) => node.getRootNode().getElementById(id)).filter(Boolean).map((other) => other.textContent).join(" ");
const labels = (node) => [ofIds(node, "aria-labelledby"), node.getAttribute("aria-label"),
  ...(node.labels ? [...node.labels].map((label) => label.textContent) : []), node.getAttribute("placeholder")].map(squeezed).filter(Boolean);
const implied = (node) => {
  const tag = node.tagName.toLowerCase();
  if (tag === "input") {
    return { submit: "button", button: "button", reset: "button", image: "button", checkbox: "checkbox", radio: "radio", range: "slider",
      number: "spinbutton", search: "searchbox", hidden: "" }[node.type] ?? (node.list ? "combobox" : "textbox");
  }
  if (tag === "a" || tag === "area") return node.hasAttribute("href") ? "link" : "";
  if (tag === "select") return node.multiple || node.size > 1 ? "listbox" : "combobox";
  if (/^h[1-6]$/.test(tag)) return "heading";
  return { button: "button", summary: "button", textarea: "textbox", img: "img", dialog: "dialog", option: "option", nav: "navigation",
    main: "main", form: "form", table: "table", tr: "row", td: "cell", th: "columnheader", ul: "list", ol: "list", li: "listitem",
    article: "article", output: "status", progress: "progressbar" }[tag] ?? (node.isContentEditable ? "textbox" : "");
};
const named = (node) => {
  const given = labels(node);
  if (given.length) return given;
  return [isButton(node) ? node.value : node.textContent, node.getAttribute("alt"), node.title].map(squeezed).filter(Boolean);
};

const matching = {
  css: ({ css }) => {
    const direct = [...document.querySelectorAll(css)];
    return direct.length ? direct : all.filter((node) => node.getRootNode() !== document && node.matches(css));
  },
  xpath: ({ xpath }) => {
    const found = document.evaluate(xpath, document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
    return [...Array(found.snapshotLength).keys()].map((index) => found.snapshotItem(index)).filter((node) => node instanceof Element);
  },
  text: ({ text }) => {
    const wanted = squeezed(text);
    const holds = (node) => squeezed(node.textContent).includes(wanted);
    const told = all.filter((node) => !/^(HTML|HEAD|BODY|SCRIPT|STYLE|TITLE|NOSCRIPT|TEMPLATE)$/.test(node.tagName) && !node.closest("head")).map((node) => {
      const own = [isButton(node) ? node.value : "", node.getAttribute("aria-label")].map(squeezed).filter(Boolean);
      // Of nested elements that hold it, the innermost one.
      const inner = holds(node) && ![...node.children].some(holds) ? [squeezed(node.textContent)] : [];
      return [node, [...own, ...inner]];
    });
    return saying(wanted, told);
  },
  role: ({ role, name }) => {
    const having = all.filter((node) => (node.getAttribute("role") || implied(node)) === role);
    return name == null ? having : saying(squeezed(name), having.map((node) => [node, named(node)]));
  },
  label: ({ label }) => {
    const fields = all.filter((node) => (/^(INPUT|SELECT|TEXTAREA)$/.test(node.tagName) && node.type !== "hidden") ||
      node.isContentEditable || /^(textbox|combobox|searchbox|checkbox|radio|spinbutton|switch)$/.test(node.getAttribute("role") || ""));
    return saying(squeezed(label), fields.map((node) => [node, labels(node)]));
  },
};

const states = [];
let closed = null;
const inShadow = ({ shadow }, position) => {
  let roots = [document];
  for (const [depth, selector] of shadow.entries()) {
    const found = roots.flatMap((root) => [...root.querySelectorAll(selector)]);
    if (depth === shadow.length - 1) return found;
    const [shut] = found.filter((host) => !host.shadowRoot && host.tagName.includes("-"));
    if (shut) closed ??= [position, shut, shadow.slice(depth + 1)];
    roots = found.map((host) => host.shadowRoot).filter(Boolean);
  }
  return [];
};
for (const [position, locator] of locators.entries()) {
  const kind = Object.keys(locator).find((name) => name === "shadow" || name in matching);
  let found;
  try {
    found = kind === "shadow" ? inShadow(locator, position) : matching[kind](locator);
  } catch (error) {
    states.push(unreadable);
    continue;
  }
  const seen = need === "present" ? found : found.filter(visible);
  const usable = need === "usable" ? seen.filter(enabled) : seen;
  if (usable.length) return { position, element: usable[0], states, closed };
  states.push(seen.length ? "disabled" : found.length ? "not visible" : "not there");
}
return { position: null, element: null, states, closed };
