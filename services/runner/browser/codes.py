"""Which one-time codes this process has used: a site refuses a code that it has seen before."""

import threading
from collections import OrderedDict

_MOST_ACCOUNTS = 10_000
_lock = threading.Lock()
_last_step: OrderedDict[bytes, int] = OrderedDict()


def spend_in_this_process(account: bytes, step: int) -> bool:
    """Takes the code of this time step; False when it, or a later one, was taken before."""
    with _lock:
        if _last_step.get(account, -1) >= step:
            return False
        _last_step[account] = step
        _last_step.move_to_end(account)
        while len(_last_step) > _MOST_ACCOUNTS:
            _last_step.popitem(last=False)
        return True
