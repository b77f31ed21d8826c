"""`python -m services.api`: serves the API until it is told to stop."""

import uvicorn

from services.api.app import create_app
from services.api.auth import is_loopback
from services.api.settings import ApiSettings
from shared.settings import errors_told
from shared.telemetry import set_up_logs


def main() -> None:
    with errors_told():
        settings = ApiSettings.model_validate({})
        app = create_app(settings)
        if settings.auth == "off" and not is_loopback(settings.host):
            raise ValueError(
                f"PARAKEET_AUTH=off serves everybody who can connect, so it listens on a loopback address only, not on "
                f"{settings.host}. Set PARAKEET_HOST=127.0.0.1, or leave authentication on."
            )
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


if __name__ == "__main__":
    main()
