// Answers a consent dialog, by refusing where that is offered; returns whether it found one.
const CONSENT = /cookie|consent|privacy|datenschutz|gdpr|dsgvo|rgpd|lgpd|tracking|privacidad|riservatezza|privacidade|prywatno|ciasteczk|integritet|personvern|evästee|soukromí|çerez|クッキー|隐私|куки|файлы cookie|конфиденциальн/i;
const REFUSE = /^(reject|decline|refuse|deny|(only|use|accept only)? ?(strictly )?(necessary|essential)( cookies)?( only)?|only necessary|continue without|no,? thanks|nur (notwendige|erforderliche|essenzielle)|(alle )?ablehnen|(tout )?refuser|continuer sans|rechazar|solo (necesarias|esenciales)|rifiuta|solo necessari|weigeren|alleen noodzakelijk|alles weigeren|recusar|rejeitar|apenas (necess|essenc)|odrzuć|tylko niezbędne|avvisa|neka|endast nödvändiga|afvis|kun nødvendige|avslå|hylkää|vain välttämättömät|odmítnout|pouze nezbytné|reddet|yalnızca gerekli|отклонить|только необходимые|拒否|必要なもののみ|拒绝|仅必要)/i;
const ACCEPT = /^(accept|agree|allow|got it|ok$|okay|i understand|akzeptieren|alle akzeptieren|zustimmen|einverstanden|verstanden|(tout )?accepter|j.accepte|d.accord|aceptar|entendido|accett|ho capito|accepteren|akkoord|aceitar|concordo|akceptuj|zgadzam|acceptera|godkänn|accepter|tillad|godta|aksepter|hyväksy|přijmout|souhlas|kabul|принять|соглас|同意|接受|許可|承諾)/i;
const answers = all.filter((node) => /^(BUTTON|A|INPUT)$/.test(node.tagName) || node.getAttribute("role") === "button");
for (const wanted of [REFUSE, ACCEPT]) {
  for (const node of answers) {
    const label = tidy(node.innerText || node.value);
    if (label.length > 60 || !wanted.test(label) || !node.getClientRects().length) continue;
    for (let at = node; at && at !== document.documentElement; at = parent(at)) {
      // A page of its own, in a frame, is about nothing else.
      if (at === document.body && window === window.top) break;
      if (CONSENT.test([at.id, at.className, at.getAttribute("aria-label"), tidy(at.innerText).slice(0, 600)].join(" ")) && !(at.querySelector && at.querySelector("input[type=password]"))) {
        node.click();
        return true;
      }
    }
  }
}
return false;
