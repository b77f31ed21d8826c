"""What the demo partners sell: a product page, a basket and a checkout, and how many orders were placed."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Page = Callable[..., Awaitable[web.StreamResponse]]

ORDERS = web.AppKey("orders", list[str])


def add_goods(app: web.Application, answer: Page, is_in: Callable[[web.Request], bool]) -> None:
    """`answer(request, template, **values)` renders for a partner; `is_in` tells who is logged in."""
    app[ORDERS] = []

    async def product(request: web.Request) -> web.StreamResponse:
        return await answer(request, "product.html", kind=request.query.get("kind", ""))

    async def basket(request: web.Request) -> web.StreamResponse:
        return await answer(request, "basket.html")

    async def checkout(request: web.Request) -> web.StreamResponse:
        if not is_in(request):
            raise web.HTTPSeeOther(f"/{request.match_info['site']}/login")
        return await answer(request, "checkout.html")

    async def last(request: web.Request) -> web.StreamResponse:
        """The last page of a checkout that asks for nothing: what its button says is on product pages elsewhere."""
        return await answer(request, "last.html")

    async def order(request: web.Request) -> web.StreamResponse:
        request.app[ORDERS].append(request.match_info["site"])
        return await answer(request, "plain.html", words="Thank you for your order.")

    async def orders(request: web.Request) -> web.StreamResponse:
        return web.json_response({"orders": request.app[ORDERS]})

    app.router.add_get("/orders", orders)
    app.router.add_get("/{site}/product", product)
    app.router.add_route("*", "/{site}/basket", basket)
    app.router.add_get("/{site}/checkout", checkout)
    app.router.add_get("/{site}/checkout/last", last)
    app.router.add_post("/{site}/order", order)
