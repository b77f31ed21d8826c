"""How a step of a flow says which element it means, and which values it may hold. Pure."""

import re
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

MOST_LOCATORS = 10
VALUES = ("username", "password", "totp")
"""What `{{...}}` may name."""

ROLE_PATTERN = r"^[a-z]{3,30}$"

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class FlowPart(BaseModel):
    """Unknown fields are refused and types are not guessed, as everywhere in what is sent to us."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True, frozen=True)


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not hold NUL characters or half of a surrogate pair")
    return text


def require_constant(text: str) -> str:
    """Raises ValueError, also for a value that is not closed."""
    for value in VALUES:
        if re.search(r"\{\{\s*" + value, text):
            raise ValueError("must not hold {{" + value + "}}: values can only be filled into a field")
    if "{{" in text:
        raise ValueError("must not hold {{: values such as {{username}} can only be filled into a field")
    return text


def _known_values(text: str) -> str:
    for name in _TEMPLATE.findall(text):
        if name.strip() not in VALUES:
            known = ", ".join("{{" + value + "}}" for value in VALUES)
            raise ValueError(f"names an unknown value; known are {known}")
    if "{{" in _TEMPLATE.sub("", text):
        raise ValueError("holds a {{ that is never closed by }}")
    return text


Words = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000, pattern=r"\S"),
    AfterValidator(_storable),
    AfterValidator(require_constant),
]
"""A constant text that is not blank."""
Value = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_storable), AfterValidator(_known_values)]
"""A text in which `{{username}}`, `{{password}}` and `{{totp}}` stand for what is stored."""


class CssLocator(FlowPart):
    """A CSS selector; open shadow roots are searched too when the document itself has no match."""

    css: Words

    def __str__(self) -> str:
        return f"css {self.css}"


class XPathLocator(FlowPart):
    """An XPath expression that names elements."""

    xpath: Words

    def __str__(self) -> str:
        return f"xpath {self.xpath}"


class TextLocator(FlowPart):
    """What the element says: all of it if an element says just this, else a part; the case does not matter."""

    text: Words

    def __str__(self) -> str:
        return f"text “{self.text}”"


class RoleLocator(FlowPart):
    """A role of ARIA, given or implied (`button`, `link`, `textbox`, ...), and the accessible name."""

    role: Annotated[str, StringConstraints(pattern=ROLE_PATTERN)]
    name: Words | None = None

    def __str__(self) -> str:
        return f"role {self.role}" + (f" “{self.name}”" if self.name else "")


class LabelLocator(FlowPart):
    """A form field by its label, `aria-label` or placeholder."""

    label: Words

    def __str__(self) -> str:
        return f"label “{self.label}”"


class ShadowLocator(FlowPart):
    """CSS selectors from shadow root to shadow root, the last one naming the element. Closed roots are entered too."""

    shadow: Annotated[list[Words], Field(min_length=2, max_length=10)]

    def __str__(self) -> str:
        return f"shadow {' >> '.join(self.shadow)}"


_KINDS: dict[str, type[FlowPart]] = {
    "css": CssLocator,
    "xpath": XPathLocator,
    "text": TextLocator,
    "role": RoleLocator,
    "label": LabelLocator,
    "shadow": ShadowLocator,
}
LOCATOR_KINDS = tuple(_KINDS)


def _kind(given: Any) -> str | None:
    """The one kind that is given; None, which is an error, when there is not exactly one."""
    if isinstance(given, FlowPart):
        return next(name for name, kind in _KINDS.items() if isinstance(given, kind))
    found = [name for name in LOCATOR_KINDS if isinstance(given, dict) and name in given]
    return found[0] if len(found) == 1 else None


Locator: TypeAlias = Annotated[
    Annotated[CssLocator, Tag("css")]
    | Annotated[XPathLocator, Tag("xpath")]
    | Annotated[TextLocator, Tag("text")]
    | Annotated[RoleLocator, Tag("role")]
    | Annotated[LabelLocator, Tag("label")]
    | Annotated[ShadowLocator, Tag("shadow")],
    Discriminator(
        _kind,
        custom_error_type="one_locator",
        custom_error_message="must hold exactly one of css, xpath, text, role (with name), label, shadow",
    ),
]
Locators = Annotated[list[Locator], Field(min_length=1, max_length=MOST_LOCATORS)]
"""Ways to find one element, tried in order."""

Key = Literal[
    "Enter", "Tab", "Escape", "Backspace", "Delete", "Space", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight",
    "Home", "End", "PageUp", "PageDown",
]  # fmt: skip
KEYS: tuple[str, ...] = get_args(Key)


def values_in(text: str) -> set[str]:
    """Which stored values a text asks for: of `username`, `password`, `totp`."""
    return {name.strip() for name in _TEMPLATE.findall(text)}


def with_values(text: str, values: dict[str, str]) -> str:
    """The text with the stored values in their places. Raises KeyError naming one that is not there."""
    return _TEMPLATE.sub(lambda match: values[match.group(1).strip()], text)
