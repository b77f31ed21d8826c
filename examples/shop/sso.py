"""An identity provider for the demo partners, at the other name of the same machine, and the partner's way to it.

It knows the same log-in as the partners. `kind` in the query of a partner's SSO page says what goes wrong there.
"""

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from aiohttp import web

Page = Callable[..., Awaitable[web.Response]]

REFUSAL = "The user name or the password is incorrect."
_OTHER_NAME = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
# Reserved by IANA, so nobody listens there; unlike port 1, browsers do not refuse to try it.
_CLOSED_PORT = 1023
_SESSION = "provider"
_CODES = web.AppKey("codes", set[str])


def add_sso(
    app: web.Application,
    answer: Page,
    is_right: Callable[[object, object], bool],
    let_in: Callable[[web.Request, web.StreamResponse], web.StreamResponse],
) -> None:
    """`answer(request, template, status=200, **values)` renders a page; `is_right` knows name and password;
    `let_in` sets the partner's cookie."""
    app[_CODES] = set()

    async def entry(request: web.Request) -> web.StreamResponse:
        return await answer(request, "sso.html", kind=_kind(request))

    async def start(request: web.Request) -> web.StreamResponse:
        if _kind(request) == "stays":
            return await answer(request, "sso.html", kind="stays", said="SSO is not set up for this account.")
        if _asks_which(request, "choice"):
            return await answer(request, "choice.html", query=request.query)
        # Whether somebody is known already may be asked without showing anything.
        raise web.HTTPSeeOther(_provider(request) + ("&prompt=none" if _kind(request) == "silent" else ""))

    async def callback(request: web.Request) -> web.StreamResponse:
        kind, code = _kind(request), request.query.get("code", "")
        if request.query.get("error") == "login_required":
            raise web.HTTPSeeOther(_provider(request))
        if "error" in request.query:
            return await answer(request, "plain.html", words="You could not be logged in.")
        if kind == "circle":
            raise web.HTTPSeeOther(f"start?kind={kind}")
        if kind == "round":
            return await answer(request, "moved.html", to=f"start?kind={kind}")
        if kind == "code":
            return await answer(request, "code.html")
        if kind == "unknown" or code not in request.app[_CODES]:
            return await answer(request, "plain.html", words="Nobody here is known by this name.")
        request.app[_CODES].discard(code)
        if kind == "window":
            return let_in(request, await answer(request, "window.html"))
        return let_in(request, web.HTTPSeeOther(f"/{request.match_info['site']}/account"))

    async def authorize(request: web.Request) -> web.StreamResponse:
        if _kind(request) == "broken":
            return await answer(request, "plain.html", status=500, words="The identity provider is out of order.")
        if _asks_which(request, "choice_elsewhere"):
            return await answer(request, "choice.html", query=request.query)
        if request.cookies.get(_SESSION) == "in":
            raise web.HTTPSeeOther(_way_back(request))
        if request.query.get("prompt") == "none":
            raise web.HTTPSeeOther(_way_back(request, error="login_required"))
        return await answer(request, "provider.html", query=request.query_string)

    async def take_log_in(request: web.Request) -> web.StreamResponse:
        given, kind = await request.post(), _kind(request)
        if not is_right(given.get("username"), given.get("password")):
            return await answer(request, "provider.html", query=request.query_string, said=REFUSAL)
        if kind == "lost":
            return await answer(request, "plain.html", words="Have a nice day.")
        if kind == "consent":
            return await answer(request, "consent.html", query=request.query_string)
        raise _in(web.HTTPSeeOther(_way_back(request)))

    async def take_consent(request: web.Request) -> web.StreamResponse:
        raise _in(web.HTTPSeeOther(_way_back(request)))

    app.router.add_get("/{site}/sso", entry)
    app.router.add_get("/{site}/start", start)
    app.router.add_get("/{site}/callback", callback)
    app.router.add_get("/{site}/provider/authorize", authorize)
    app.router.add_post("/{site}/provider/authorize", take_log_in)
    app.router.add_post("/{site}/provider/consent", take_consent)


def _kind(request: web.Request) -> str:
    return request.query.get("kind", "")


def _asks_which(request: web.Request, kind: str) -> bool:
    """Whether one is to say at which identity provider one has an account, and has not."""
    return _kind(request) == kind and not request.query.get("chosen")


def _provider(request: web.Request) -> str:
    host, port = request.url.host or "", _CLOSED_PORT if _kind(request) == "down" else request.url.port
    site, back = request.match_info["site"], str(request.url.origin())
    query = urlencode({"kind": _kind(request), "return_to": back})
    return f"http://{_OTHER_NAME.get(host, host)}:{port}/{site}/provider/authorize?{query}"


def _way_back(request: web.Request, **error: str) -> str:
    kind, site = _kind(request), request.match_info["site"]
    code = secrets.token_hex(8)
    request.app[_CODES].add(code)
    denied = {"error": "access_denied", "error_description": "The account may not use this shop."}
    given = error or (denied if kind == "denied" else {"code": code})
    return f"{request.query['return_to']}/{site}/callback?{urlencode({'kind': kind, **given})}"


def _in(answer: web.HTTPSeeOther) -> web.HTTPSeeOther:
    answer.set_cookie(_SESSION, "in", path="/", httponly=True)
    return answer
