// Hides the secrets of a page while its picture is taken, by styles alone, so that the page goes on undisturbed.
//   hide: true when everything secret that can be reached is hidden
//   show: puts every style back; false when something secret was to be seen that `hide` had not found
// With `apart`, each frame is told by itself; else this reaches into frames, and hides those that it can't look into.
(secrets, what, apart) => {
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

  const hidden = (globalThis.__hiddenWhileTaken ??= new Map());
  if (what === "hide") {
    for (const element of secretElements()) {
      if (!hidden.has(element)) hidden.set(element, element.getAttribute("style"));
      for (const [name, value] of HIDDEN) element.style?.setProperty(name, value, "important");
      // What is told in place of a value takes no part in that.
      if (tells(element.placeholder)) element.style.setProperty("opacity", "0", "important");
    }
    return true;
  }
  let complete = true;
  for (const element of secretElements()) complete &&= hidden.has(element);
  for (const [element, style] of hidden) {
    // Without being read first, the attribute would stay behind, empty.
    if (style === null && element.getAttribute("style") !== null) element.removeAttribute("style");
    else if (style !== null) element.setAttribute("style", style);
  }
  hidden.clear();
  return complete;
}
