"""Places where a process can be told to die, so that a test can prove what follows.

`PARAKEET_CRASH_POINT=after_publish:3` kills the process, as `kill -9` would, when it gets there for the third time.
Without it nothing happens.
"""

import os
import signal

CRASH_POINTS = (
    "before_plan",
    "after_plan",
    "before_publish",
    "after_publish",
    "before_mark",
    "after_mark",
    "after_claim",
    "after_effect",
    "after_record",
)
_name, _, _times = os.environ.get("PARAKEET_CRASH_POINT", "").partition(":")
_left = int(_times or 1)


def crash_point(name: str) -> None:
    global _left
    if name == _name:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
