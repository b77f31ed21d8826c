"""`python -m examples.shop --host 127.0.0.1 --port 8090`"""

import argparse

from aiohttp import web

from examples.shop.app import make_app


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the demo partners.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    arguments = parser.parse_args()
    web.run_app(make_app(), host=arguments.host, port=arguments.port, access_log=None)


if __name__ == "__main__":
    main()
