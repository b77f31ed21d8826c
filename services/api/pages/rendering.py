"""Templates to answers. Scripts, styles and pictures come from our own files only."""

import hashlib
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.api.pages import words

HERE = Path(__file__).parent
STATIC = HERE / "static"
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "connect-src 'self'; img-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def _asset(name: str) -> str:
    """The address changes with the content, so that no browser shows a new page in an old style."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


ASSETS = {path.name: _asset(path.name) for path in STATIC.iterdir()}
_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(assets=ASSETS, relative=words.relative, exact=words.exact, duration=words.duration)
_TEMPLATES.filters.update(code_words=words.code_words, check_words=words.check_words, file_words=words.file_words)


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(draw(template, **values), status, HEADERS)


def draw(template: str, **values: Any) -> str:
    """The HTML of a part of a page."""
    return _TEMPLATES.get_template(template).render(values)
