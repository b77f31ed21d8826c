// Hides the secrets of a page while its picture is taken, by styles alone, so that the page goes on undisturbed.
//   hide: true when everything secret that can be reached is hidden
//   show: puts every style back; false when something secret was to be seen that `hide` had not found, or, with `typing`,
//         when a field's value has changed
// With `apart`, each frame is told by itself; else this reaches into frames, and hides those that it can't look into.
(secrets, what, apart, typing) => {
  const HIDDEN = [["transition", "none"], ["animation", "none"], ["-webkit-text-security", "disc"], ["filter", "blur(6px)"]];
  const tells = (text) => Boolean(text) && secrets.some((secret) => text.includes(secret));
  const whole = (root) => (root.nodeType === 9 ? root.documentElement?.textContent : root.textContent);

  function* roots(root) {
    yield root;
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) yield* roots(node.shadowRoot);
      if (!apart && /^i?frame$/i.test(node.tagName) && inside(node)) yield* roots(inside(node));
    }
  }
  function inside(frame) {
    try { return frame.contentDocument; } catch { return null; }
  }
  function* secretElements() {
    for (const root of roots(apart ? document : window.top.document)) {
      for (const field of root.querySelectorAll("input, textarea")) {
        const code = field.maxLength === 1 || field.autocomplete === "one-time-code";
        if (code || field.type === "password" || tells(field.value) || tells(field.placeholder)) yield field;
      }
      if (!apart) for (const frame of root.querySelectorAll("iframe, frame")) if (!inside(frame)) yield frame;
      if (!tells(whole(root))) continue;
      // The innermost elements that hold a whole secret, which may be written in pieces.
      for (const node of root.querySelectorAll("*")) {
        if (tells(node.textContent) && ![...node.children].some((child) => tells(child.textContent))) yield node;
      }
    }
  }

  function* fields() {
    for (const root of roots(apart ? document : window.top.document)) yield* root.querySelectorAll("input, textarea");
  }
  function hide(element) {
    if (!element.style || hidden.has(element)) return;
    const styles = tells(element.placeholder) ? [...HIDDEN, ["opacity", "0"]] : HIDDEN;
    const before = styles.map(([name]) => [name, element.style.getPropertyValue(name), element.style.getPropertyPriority(name)]);
    const whole = element.getAttribute("style");
    for (const [name, value] of styles) element.style.setProperty(name, value, "important");
    hidden.set(element, { before, whole, ours: element.getAttribute("style") });
  }
  function show(element, { before, whole, ours }) {
    if (element.getAttribute("style") === ours) {
      if (whole === null) element.removeAttribute("style");
      else element.setAttribute("style", whole);
      return;
    }
    // The page has styled it meanwhile, which stays.
    for (const [name, value, priority] of before) {
      if (value) element.style.setProperty(name, value, priority);
      else element.style.removeProperty(name);
    }
  }

  const { hidden, values } = (globalThis.__whileTaken ??= { hidden: new Map(), values: new Map() });
  if (what === "hide") {
    for (const field of fields()) values.set(field, field.value);
    for (const element of secretElements()) hide(element);
    return true;
  }
  let complete = true;
  for (const element of secretElements()) complete &&= hidden.has(element);
  // What was typed meanwhile may be half of a secret.
  if (typing) for (const field of fields()) complete &&= values.get(field) === field.value || field.type === "hidden";
  for (const [element, kept] of hidden) show(element, kept);
  hidden.clear();
  values.clear();
  return complete;
}
