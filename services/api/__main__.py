"""`python -m services.api`: serves the API until it is told to stop."""

import sys

import uvicorn
from pydantic import ValidationError

from services.api.app import create_app
from services.api.auth import is_loopback
from services.api.settings import ApiSettings
from shared.telemetry import set_up_logs

USAGE_ERROR = 2


def main() -> int:
    try:
        settings = ApiSettings.model_validate({})
        app = create_app(settings)
    except ValidationError as error:
        for item in error.errors(include_input=False):
            print(f"PARAKEET_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}", file=sys.stderr)
        return USAGE_ERROR
    except ValueError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    if settings.auth == "off" and not is_loopback(settings.host):
        print(
            f"PARAKEET_AUTH=off serves everybody who can connect, so it listens on a loopback address only, not on "
            f"{settings.host}. Set PARAKEET_HOST=127.0.0.1, or leave authentication on.",
            file=sys.stderr,
        )
        return USAGE_ERROR
    set_up_logs(settings.log_level, settings.log_format)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
