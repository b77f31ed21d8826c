"""Sites that log in as real ones do, each in its own way: one page file per way in `pages/`, this server behind them.

A page sends its form to `../enter`, with what comes next in a hidden field `then`; a site that asks for a one-time code
takes it at `../code`. Its query says what the site does instead of letting us in.
"""

import asyncio
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
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SPENT = web.AppKey("spent", set[str])
CLOSING = web.AppKey("closing", asyncio.Event)
ACCOUNT = "<h1>Good day</h1><p>Nothing is new.</p>"
WAY_OUT = "<a href='/logout'>Log out</a>"


def make_app() -> web.Application:
    app = web.Application()
    app[SPENT] = set()
    app[CLOSING] = asyncio.Event()
    app.on_shutdown.append(_no_more_news)
    app.router.add_get("/basic/{rest:.*}", _basic)
    app.router.add_get("/moved", _move)
    app.router.add_get("/forgetful", _forget)
    app.router.add_get("/board", _board)
    app.router.add_get("/closes", _close)
    app.router.add_get("/account", _account)
    app.router.add_get("/plain-account", _account)
    app.router.add_route("*", "/profile", _profile)
    app.router.add_get("/static/{page}", _static)
    app.router.add_post("/enter", _enter)
    app.router.add_post("/code", _take_code)
    app.router.add_post("/api/enter", _enter_by_script)
    app.router.add_route("*", "/said", _say)
    app.router.add_get("/news", _news)
    app.router.add_get("/{page}", _page)
    return app


def page_text(page: str, query: Mapping[str, str], said: str = "") -> str:
    """The page with its blanks filled, from the query where that has them."""
    text = (_PAGES / f"{page}.html").read_text("utf-8")
    words = {
        "name": "User name",
        "word": "Password",
        "button": "Log in",
        "other": "",
        "said": "",
        "invalid": "false",
    } | dict(query)
    for key, value in (words | {"query": urlencode(query), **({"said": said} if said else {})}).items():
        text = text.replace("{{" + key + "}}", value)
    return text


def _html(body: str, status: int = 200) -> web.Response:
    frame = (
        ""
        if body.lstrip().startswith("<!doctype")
        else "<!doctype html><meta charset=utf-8><title>Site</title><link rel=icon href='data:,'>"
    )
    return web.Response(text=frame + body, content_type="text/html", status=status)


async def _page(request: web.Request) -> web.StreamResponse:
    """The log-in page; who is in already is sent on."""
    if request.cookies.get(_COOKIE) == "in":
        raise web.HTTPSeeOther("/account")
    return await _static(request)


async def _static(request: web.Request) -> web.Response:
    return _html(page_text(request.match_info["page"], request.query), int(request.query.get("served", "200")))


async def _forget(request: web.Request) -> web.StreamResponse:
    """A log-in page that logs out whoever opens it."""
    answer = _html(page_text("both", request.query))
    answer.del_cookie(_COOKIE, path="/")
    return answer


async def _account(request: web.Request) -> web.StreamResponse:
    if request.cookies.get(_COOKIE) != "in":
        raise web.HTTPSeeOther("/both")
    return _html(ACCOUNT + (WAY_OUT if request.path == "/account" else ""))


async def _board(request: web.Request) -> web.Response:
    """The same address for the form and for what is behind it, which says `words` and never who we are."""
    if request.cookies.get(_COOKIE) == "in":
        return _html(f"<h1>Board</h1><p>{request.query['words']}</p>")
    return _html(page_text("both", {"to": str(request.rel_url)}))


async def _close(request: web.Request) -> web.Response:
    """The last page of a window that was opened for the log-in."""
    return _html("<script>opener.location.reload(); close()</script>")


async def _profile(request: web.Request) -> web.StreamResponse:
    """An account's own page, which takes its time and has fields like those of a log-in."""
    await asyncio.sleep(0.5)
    fields = "<label>User name <input name='username'></label><label>E-mail <input type='email' name='email'></label>"
    return _html(f"<a href='/logout'>Log out</a><form method='post'>{fields}<button>Save</button></form>")


def _right(given: Mapping[str, object]) -> bool:
    return (given.get("username"), given.get("password")) == (USERNAME, PASSWORD)


async def _enter(request: web.Request) -> web.StreamResponse:
    given, query = await request.post(), request.query
    if not _right(given):
        if "back" in query:
            raise web.HTTPSeeOther(f"/{query['back']}")
        said = query.get("refusal", "Wrong user name or password.")
        return _html(page_text(query.get("page", "both"), query, "" if query.get("page") == "announcing" else said))
    if "says" in query:
        return _html(page_text("words", query, query["says"]))
    if "next" in query:
        return _html(page_text(query["next"], query))
    return _let_in(query.get("to", "/account"))


async def _take_code(request: web.Request) -> web.StreamResponse:
    given, query = await request.post(), request.query
    code = "".join(str(value) for name, value in given.items() if name.startswith("code"))
    right = "password" not in given or _right(given)
    if "broken" in query or not right or not _is_fresh(request, code):
        if "formless" in query:
            return _html("<h1>Sorry</h1><div class='message'>Invalid verification code</div>")
        return _html(
            page_text(query.get("next", "with_code"), query, "" if "silent" in query else "That code is invalid.")
        )
    return _let_in("/account")


def _is_fresh(request: web.Request, code: str) -> bool:
    """Whether it is a code that nobody gave before; it is none from then on."""
    query, spent = request.query, request.app[SPENT]
    totp = pyotp.TOTP(SECRET, digits=int(query.get("digits", "6")), interval=int(query.get("period", "30")))
    if code in spent or not totp.verify(code):
        return False
    spent.add(code)
    return True


async def _enter_by_script(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(float(request.query.get("takes", "0")))
    given = await request.json()
    if not _right(given) or ("asks_for_code" in request.query and not _is_fresh(request, given["code"])):
        asks = {"WWW-Authenticate": f'{request.query["asks"]} realm="api"'} if "asks" in request.query else {}
        return web.json_response({}, status=int(request.query.get("status", "401")), headers=asks)
    answer = web.json_response({"token": "t-" + str(int(time.time()))})
    answer.set_cookie(_COOKIE, "in", path="/", httponly=True)
    return answer


async def _news(request: web.Request) -> web.Response:
    """Answers when there is any, and there is none; or soon, to be asked again."""
    if request.query["listens"] == "for ever":
        await request.app[CLOSING].wait()
    await asyncio.sleep(0.05)
    return web.json_response([])


async def _no_more_news(app: web.Application) -> None:
    app[CLOSING].set()


async def _say(request: web.Request) -> web.Response:
    return _html(page_text("words", {}, request.query["words"]), int(request.query.get("status", "200")))


async def _move(request: web.Request) -> web.StreamResponse:
    raise web.HTTPMovedPermanently(request.query["to"])


async def _basic(request: web.Request) -> web.StreamResponse:
    expected = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    if request.headers.get("Authorization") != expected:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="staff"'})
    return _html("<h1>Staff only</h1>")


def _let_in(to: str) -> web.StreamResponse:
    answer = web.HTTPSeeOther(to)
    answer.set_cookie(_COOKIE, "in", path="/", httponly=True)
    raise answer
