"""Ends the streams as soon as the process is told to stop."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def before_shutdown(end: Callable[[], object]) -> Iterator[None]:
    """Calls `end` before the handlers that are there already.

    uvicorn ends the lifespan only after the last answer, and a stream never ends by itself, so that the lifespan is too
    late to end it. Signals belong to the main thread; elsewhere whoever stops the server closes the streams.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        end()
        before[signal.Signals(number)](number, frame)

    mine = [number for number in SIGNALS if callable(before[number])]
    for number in mine:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in mine:
            if signal.getsignal(number) is handle:
                signal.signal(number, before[number])
