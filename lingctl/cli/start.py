"""Where the installed command begins: signals are heard before anything slow is imported."""

from __future__ import annotations

import os
import signal

from lingctl import interrupts


def main() -> None:
    """Run lingctl and exit."""
    interrupts.listen()
    try:
        from lingctl.cli.app import main as run

        run()
    except KeyboardInterrupt:  # before there was anything to say, or after all was said
        os._exit(128 + (interrupts.received() or signal.SIGINT))
