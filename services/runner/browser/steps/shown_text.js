// All that the page shows as text, open shadow roots included, with every blank squeezed to one.
function* roots(root) {
  for (const node of root.querySelectorAll("*")) if (node.shadowRoot) { yield node.shadowRoot; yield* roots(node.shadowRoot); }
}
const parts = [document.body, ...[...roots(document)].flatMap((root) => [...root.children])];
return parts.map((node) => (node && node.innerText) || "").join("\n").replace(/[\s\u00a0]+/g, " ").trim();
