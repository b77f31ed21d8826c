"""The demo partners as one aiohttp application, one partner per path, and targets of callbacks under `/hooks`.

Everything here logs in by user name `probe` and password `parakeet-demo`; only what happens then differs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader

from examples.shop.goods import add_goods
from examples.shop.sso import add_sso
from shared.domain.totp import read_totp_secret

USERNAME = "probe"
PASSWORD = "parakeet-demo"
TOTP_SECRET = "PARAKEETDEMO2345PARAKEETDEMO2345"
SLOW_SECONDS = 6.0
SLOW_HOOK_SECONDS = 2.0
REFUSAL = "Wrong user name or password."

_pages = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True)


@dataclass(frozen=True, slots=True)
class Site:
    """One partner. `template` is its log-in page; `failing` stands for what its log-in answers instead of working."""

    name: str
    hue: int
    template: str = "login.html"
    seconds: float = 0.0
    refusal_status: int = 200
    failing: str = ""


SITES = {
    "acme": Site("Acme", 212),
    "globex": Site("Globex", 160, "name_first.html"),
    "initech": Site("Initech", 24),
    "slow": Site("Slowpoke", 280, seconds=SLOW_SECONDS),
    "late": Site("Late Form", 190, "late.html"),
    "wonka": Site("Wonka", 320, "registration.html"),
    "strict": Site("Strict", 0, refusal_status=401),
    "spa": Site("Single Page", 250, "single_page.html", refusal_status=401),
    "mute": Site("Mute", 80, failing="mute"),
    "standing": Site("Standing", 90, failing="standing"),
    "forgetful": Site("Forgetful", 50, failing="forgetful"),
    "crashing": Site("Crashing", 10, failing="error"),
    "stuck": Site("Stuck", 12, failing="hang"),
    "frame": Site("Framed", 130, "frame.html"),
    "alert": Site("Alerting", 330, failing="dialog"),
    "leaky": Site("Leaky", 100, "leaky.html"),
    "decoy": Site("Decoy", 66, "decoy.html"),
    "dialog": Site("Opener", 230, "opener.html"),
    "cyberdyne": Site("Cyberdyne", 20, failing="code"),
    "tyrell": Site("Tyrell", 275, "sso.html"),
}


def make_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", _index)
    app.router.add_get(
        "/control", lambda request: _answer("plain.html", Site("Control", 120), words="Everything is well.")
    )
    app.router.add_get(
        "/umbrella/login",
        lambda request: _answer(
            "plain.html", Site("Umbrella", 0), words="We are renovating. Please come back in spring."
        ),
    )
    app.router.add_get("/hooli/{rest:.*}", _down)
    app.router.add_get("/down", _down)
    app.router.add_get("/forbidden/login", _forbidden)
    app.router.add_get("/hang/login", _hang)
    app.router.add_get("/loop/login", lambda request: _answer("loop.html", Site("Loop", 300)))
    app.router.add_get("/circle/login", _circle)
    app.router.add_route("*", "/hooks/accept", _accept)
    app.router.add_route("*", "/hooks/reject", _reject)
    app.router.add_route("*", "/hooks/slow", _accept_slowly)
    app.router.add_get("/{site}/login", _login_page)
    app.router.add_get("/{site}/frame", _frame)
    app.router.add_post("/{site}/name", _take_name)
    app.router.add_post("/{site}/login", _log_in)
    app.router.add_post("/{site}/api/login", _log_in_by_script)
    app.router.add_post("/{site}/code", _take_code)
    app.router.add_get("/{site}/account", _account)
    app.router.add_get("/{site}/logout", _log_out)
    add_goods(app, _answer_for, _is_in)
    add_sso(app, _answer_for, _is_right, _let_in)
    return app


async def _answer(template: str, site: Site, status: int = 200, **values: object) -> web.Response:
    text = _pages.get_template(template).render(site=site, username=USERNAME, **values)
    return web.Response(text=text, content_type="text/html", status=status)


async def _answer_for(request: web.Request, template: str, status: int = 200, **values: Any) -> web.Response:
    return await _answer(template, _site(request), status, path=_path(request), **values)


async def _index(request: web.Request) -> web.Response:
    return await _answer("index.html", Site("Demo partners", 212), sites=SITES)


async def _login_page(request: web.Request) -> web.StreamResponse:
    site = _site(request)
    if _is_in(request):
        raise web.HTTPSeeOther(f"/{_path(request)}/account")
    return await _answer(site.template, site, path=_path(request))


async def _frame(request: web.Request) -> web.Response:
    return await _answer("login.html", _site(request), path=_path(request))


async def _take_name(request: web.Request) -> web.Response:
    given = await request.post()
    if not _is_known(given.get("username")):
        return await _answer("name_first.html", _site(request), path=_path(request), said="Unknown user name.")
    return await _answer("password.html", _site(request), path=_path(request))


def _is_known(username: object) -> bool:
    """Each demo partner has an account of its own, although all are at one host."""
    return isinstance(username, str) and username.startswith(USERNAME)


def _is_right(username: object, password: object) -> bool:
    return _is_known(username) and password == PASSWORD


async def _log_in(request: web.Request) -> web.StreamResponse:
    site, given = _site(request), await request.post()
    await asyncio.sleep(site.seconds)
    right = _is_right(given.get("username"), given.get("password"))
    if site.failing and (right or site.failing != "code"):
        return await _FAILING[site.failing](request)
    if not right:
        template = "login.html" if site.template == "leaky.html" else site.template
        return await _answer(template, site, site.refusal_status, path=_path(request), said=REFUSAL)
    return _let_in(request, web.HTTPSeeOther(f"/{_path(request)}/account"))


async def _log_in_by_script(request: web.Request) -> web.StreamResponse:
    given = await request.json()
    if not _is_right(given.get("username"), given.get("password")):
        return web.json_response({"error": "no"}, status=_site(request).refusal_status)
    return _let_in(request, web.json_response({"ok": True}))


async def _take_code(request: web.Request) -> web.StreamResponse:
    given, key = await request.post(), read_totp_secret(TOTP_SECRET)
    step = key.step_at(time.time())
    if given.get("code") not in (key.code(step), key.code(step - 1)):
        return await _answer("code.html", _site(request), path=_path(request), said="That code is wrong.")
    return _let_in(request, web.HTTPSeeOther(f"/{_path(request)}/account"))


async def _account(request: web.Request) -> web.StreamResponse:
    if not _is_in(request):
        raise web.HTTPSeeOther(f"/{_path(request)}/login")
    return await _answer("account.html", _site(request), path=_path(request))


async def _log_out(request: web.Request) -> web.StreamResponse:
    answer = web.HTTPSeeOther(f"/{_path(request)}/login")
    answer.del_cookie(_path(request), path="/")
    raise answer


async def _down(request: web.Request) -> web.Response:
    return await _answer("plain.html", Site("Hooli", 0), 500, words="Internal server error")


async def _forbidden(request: web.Request) -> web.Response:
    return await _answer("plain.html", Site("Forbidden", 0), 403, words="You shall not pass")


async def _hang(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def _circle(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther(request.path)


async def _accept(request: web.Request) -> web.Response:
    return web.json_response({"accepted": True})


async def _accept_slowly(request: web.Request) -> web.Response:
    await asyncio.sleep(SLOW_HOOK_SECONDS)
    return await _accept(request)


async def _reject(request: web.Request) -> web.Response:
    return web.json_response({"error": "unknown_account", "message": "There is no account 4711."}, status=422)


async def _say_nothing(request: web.Request) -> web.Response:
    return await _answer("plain.html", _site(request), words="Thank you for your visit.")


async def _show_form_again(request: web.Request) -> web.Response:
    return await _answer("login.html", _site(request), path=_path(request))


async def _forget(request: web.Request) -> web.Response:
    return await _answer("account.html", _site(request), path=_path(request))


async def _ask_code(request: web.Request) -> web.Response:
    return await _answer("code.html", _site(request), path=_path(request))


async def _dialog(request: web.Request) -> web.Response:
    return await _answer("login.html", _site(request), path=_path(request), alert="Our terms have changed.")


_FAILING: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
    "mute": _say_nothing,
    "standing": _show_form_again,
    "forgetful": _forget,
    "error": _down,
    "hang": _hang,
    "dialog": _dialog,
    "code": _ask_code,
}


def _let_in(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    answer.set_cookie(_path(request), "in", path="/", httponly=True)
    if isinstance(answer, web.HTTPException):
        raise answer
    return answer


def _is_in(request: web.Request) -> bool:
    return request.cookies.get(_path(request)) == "in"


def _path(request: web.Request) -> str:
    return request.match_info["site"]


def _site(request: web.Request) -> Site:
    site = SITES.get(_path(request))
    if site is None:
        raise web.HTTPNotFound(text="There is no such partner.")
    return site
