"""Sites that log in as real ones do, each in its own way: one page file per way in `pages/`, this server behind them.

A page sends its form to `../enter`, with what comes next in a hidden field `then`; a site that asks for a one-time code
takes it at `../code`. Its query says what the site does instead of letting us in.
"""

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import pyotp
from aiohttp import web

from examples.shop.app import PASSWORD, USERNAME

_PAGES = Path(__file__).with_name("pages")
_COOKIE = "who"
SECRET = "JBSWY3DPEHPK3PXP"
SPENT = web.AppKey("spent", set[str])
ACCOUNT = "<h1>Good day</h1><p>Nothing is new.</p><a href='/logout'>{way_out}</a>"


def make_app() -> web.Application:
    app = web.Application()
    app[SPENT] = set()
    app.router.add_get("/basic/{rest:.*}", _basic)
    app.router.add_get("/account", _account)
    app.router.add_get("/plain-account", _account)
    app.router.add_get("/static/{page}", _static)
    app.router.add_post("/enter", _enter)
    app.router.add_post("/code", _take_code)
    app.router.add_post("/api/enter", _enter_by_script)
    app.router.add_route("*", "/said", _say)
    app.router.add_get("/{page}", _page)
    return app


def page_text(name: str, **values: str) -> str:
    text = (_PAGES / f"{name}.html").read_text("utf-8")
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def _html(body: str, status: int = 200) -> web.Response:
    frame = "" if body.lstrip().startswith("<!doctype") else "<!doctype html><meta charset=utf-8><title>Site</title>"
    return web.Response(text=frame + body, content_type="text/html", status=status)


async def _page(request: web.Request) -> web.StreamResponse:
    """The log-in page; who is in already is sent on."""
    if request.cookies.get(_COOKIE) == "in":
        raise web.HTTPSeeOther("/account")
    return await _static(request)


async def _static(request: web.Request) -> web.Response:
    query = request.query
    text = page_text(
        request.match_info["page"],
        query=request.query_string,
        said=query.get("said", ""),
        other=query.get("other", ""),
        name=query.get("name", "User name"),
        word=query.get("word", "Password"),
        button=query.get("button", "Log in"),
    )
    return _html(text)


async def _account(request: web.Request) -> web.StreamResponse:
    if request.cookies.get(_COOKIE) != "in":
        raise web.HTTPSeeOther("/both")
    return _html(ACCOUNT.format(way_out="Log out" if request.path == "/account" else ""))


def _right(given: Mapping[str, object]) -> bool:
    return (given.get("username"), given.get("password")) == (USERNAME, PASSWORD)


async def _enter(request: web.Request) -> web.StreamResponse:
    given, query = await request.post(), request.query
    if not _right(given):
        said = query.get("refusal", "Wrong user name or password.")
        return _html(
            page_text(
                query.get("page", "both"),
                said=said,
                query=request.query_string,
                name="User name",
                word="Password",
                button="Log in",
            )
        )
    if "says" in query:
        return _html(
            page_text(
                query.get("stays", "words"),
                said=query["says"],
                query=request.query_string,
                name="User name",
                word="Password",
                button="Log in",
            )
        )
    if "next" in query:
        return _html(page_text(query["next"], query=request.query_string, said=""))
    return _let_in(query.get("to", "/account"))


async def _take_code(request: web.Request) -> web.StreamResponse:
    given = await request.post()
    code = "".join(str(value) for name, value in given.items() if name.startswith("code"))
    query = dict(request.query)
    digits, period = int(query.get("digits", "6")), int(query.get("period", "30"))
    totp = pyotp.TOTP(SECRET, digits=digits, interval=period)
    taken = totp.verify(code, valid_window=0) and (code not in request.app[SPENT] or "reusable" in query)
    if not taken or "broken" in query:
        said = "" if "silent" in query else "That code is invalid."
        return _html(page_text(query.get("next", "code"), query=urlencode(query), said=said))
    request.app[SPENT].add(code)
    return _let_in("/account")


async def _enter_by_script(request: web.Request) -> web.StreamResponse:
    if not _right(await request.json()):
        return web.json_response({}, status=int(request.query.get("status", "401")))
    answer = web.json_response({"token": "t-" + str(int(time.time()))})
    answer.set_cookie(_COOKIE, "in", path="/", httponly=True)
    return answer


async def _say(request: web.Request) -> web.Response:
    return _html(page_text("words", said=request.query["words"]), int(request.query.get("status", "200")))


async def _basic(request: web.Request) -> web.StreamResponse:
    expected = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    if request.headers.get("Authorization") != expected:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="staff"'})
    return _html("<h1>Staff only</h1>")


def _let_in(to: str) -> web.StreamResponse:
    answer = web.HTTPSeeOther(to)
    answer.set_cookie(_COOKIE, "in", path="/", httponly=True)
    raise answer
