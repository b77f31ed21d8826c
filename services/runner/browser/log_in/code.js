// The fields of a one-time code: one input, or one box for each digit.
const boxesAround = (node) => {
  for (let at = parent(node), up = 0; at && up < 4; at = parent(at), up += 1) {
    const boxes = inputs.filter(holding(at)).filter((each) => each.maxLength === 1 && /^(text|tel|number|password)$/.test(each.type));
    if (boxes.length >= 6 && boxes.length <= 8) return boxes;
  }
  return null;
};
const codeScore = (node, page) => {
  const text = about(node);
  let score = 0;
  if (/one-time-code/.test(node.autocomplete)) score += 8;
  if (CODE.test(text)) score += 5;
  if (/\b(code|kod|kode|koodi|kód|código|codice|token)\b|код|コード|码|코드/.test(text)) score += 3;
  if (/numeric/.test(node.inputMode) || /\\d|0-9/.test(node.pattern) || node.type === "tel" || node.type === "number") score += 1;
  if (node.maxLength >= 6 && node.maxLength <= 8) score += 2;
  if (CODE.test(page)) score += 2;
  if (NOT_CODE.test(text)) score -= 7;
  if (node.getAttribute("role") === "combobox" || node.list || node.readOnly) score -= 6;
  return score;
};
const codeForm = (page) => {
  const fields = inputs.filter((node) => /^(text|tel|number|password)$/.test(node.type) && !/username|email|current-password/.test(node.autocomplete));
  for (const node of fields.filter((each) => each.maxLength === 1)) {
    const boxes = boxesAround(node);
    if (boxes) return { fields: boxes, submit: codeSubmit(boxes[boxes.length - 1]), beside: null, sure: true };
  }
  const ranked = fields.map((node) => [codeScore(node, page), node]).sort((a, b) => b[0] - a[0]);
  if (!ranked.length || ranked[0][0] < 5) return null;
  const field = ranked[0][1];
  const inside = holding(scopeOf(field));
  const alone = inputs.filter((node) => inside(node) && !/^(submit|image|button|checkbox|radio)$/.test(node.type)).length === 1;
  const sure = alone && (/one-time-code/.test(field.autocomplete) || CODE.test(about(field)));
  return { fields: [field], submit: codeSubmit(field), beside: passwords.find((node) => node !== field && inside(node)) || null, sure };
};
const codeSubmit = (field) => submitFor(scopeOf(field), field);
