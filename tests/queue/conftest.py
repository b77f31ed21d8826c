import pytest

from shared.queue import rabbit_connection, rabbit_subscription, rabbitmq
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits on a broker's answers are tested in tests/faults; here a disc that stalls for seconds is no fault."""
    monkeypatch.setattr(rabbitmq, "PUBLISH_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    for module in (rabbit_connection, rabbit_subscription):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT_SECONDS", PATIENCE_SECONDS)
