// Takes the secrets given as arguments[0] out of what the page shows.
const secrets = arguments[0];
function* deep(root) {
  yield root;
  for (const node of root.querySelectorAll("*")) if (node.shadowRoot) yield* deep(node.shadowRoot);
}
const without = (text) => secrets.reduce((rest, secret) => rest.split(secret).join("***"), text);
for (const root of deep(document)) {
  for (const field of root.querySelectorAll("input, textarea")) {
    if (field.maxLength === 1 || field.autocomplete === "one-time-code") field.value = "";
    if (field.type !== "password" && field.value && without(field.value) !== field.value) field.value = "";
  }
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data;
    if (without(text) !== text) walker.currentNode.data = without(text);
  }
}
