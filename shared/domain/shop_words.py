"""What the controls of a shop say, in the languages that partners use: regular expressions, in any case, as Python and
JavaScript both read them. Pure."""

import re
from collections.abc import Iterable, Sequence

# What makes an order binding. Nothing that reads like this is ever clicked.
FINAL = (
    r"place (your |my |the )?order|(pay|order) (now|securely)|^pay\b|buy and pay|(submit|complete|finish|confirm) "
    r"(your |my |the |and )?(order|purchase|payment|pay)|\b(1|one).click|zahlungspflichtig|kostenpflichtig|jetzt "
    r"(be)?zahlen|bestellung (abschließen|absenden)|confirmer (la commande|et payer|l.achat)|payer( maintenant)?$|"
    r"finalizar (la )?compra|confirmar (pedido|compra)|pagar( ahora)?$|bestelling (plaatsen|afronden)|"
    r"afrekenen en betalen|conferma (ordine|acquisto)|paga ora|betaal nu"
)
# On a product page a short cut to the checkout, and on the last page of one what makes the order binding.
BUY_NOW = (
    r"quick.?buy|buy (it )?now|sofort.?kauf(en)?|jetzt kaufen|direkt kaufen|acheter maintenant|"
    r"achat (express|immédiat)|comprar (ahora|ya)|koop nu|acquista (ora|subito)"
)
EXPRESS = rf"express.?(check.?out|buy|kauf)|{BUY_NOW}"
CHECKOUT = (
    r"check.?out|zur kasse|^kasse$|passer (la )?commande|tramitar pedido|finalizar pedido|afrekenen|alla cassa|do kasy|"
    r"till kassan"
)
BASKET = (
    r"add to (shopping )?(cart|bag|basket|trolley)|in den (warenkorb|einkaufswagen)|ajouter au panier|"
    r"(añadir|agregar) (al|a la) (carrito|cesta)|in (mijn )?winkel(wagen|mand)|aggiungi al carrello|do koszyka|"
    r"lägg i varukorg"
)

_FINAL = re.compile(FINAL, re.IGNORECASE)
_BUY_NOW = re.compile(BUY_NOW, re.IGNORECASE)
_LEADS_ON = re.compile(f"{EXPRESS}|{CHECKOUT}|{BASKET}", re.IGNORECASE)


def binding(clicks: Sequence[Iterable[str]]) -> list[bool]:
    """For each of these clicks, in their order and each told by the words of its control: whether it likely makes an
    order binding."""
    found, begun = [], False
    for texts in map(list, clicks):
        found.append(any(_FINAL.search(text) or (begun and _BUY_NOW.search(text)) for text in texts))
        begun = begun or any(_LEADS_ON.search(text) for text in texts)
    return found
