"""For all tests: the same signals, however the run was started, and one thread for whoever computes."""

from __future__ import annotations

import os
import signal

# Two workers fill the machine: numpy's threads would only wait for each other. It reads this when imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A script's ``&`` and nohup have children ignore signals; what tests start would inherit that.
for _number, _action in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _action)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM})
