"""Where the installed command begins: signals are heard before anything slow is imported."""

from __future__ import annotations

import os
import signal

from lingctl import interrupts


def main() -> None:
    """Run lingctl and exit."""
    interrupts.listen()
    # Whoever may write hosts.yaml, a bundle or saved answers decides what is believed: never everybody.
    os.umask(os.umask(0o077) | 0o002)
    try:
        from lingctl.cli.app import main as run

        run()
    except KeyboardInterrupt:  # before there was anything to say, or after all was said
        os._exit(128 + (interrupts.received() or signal.SIGINT))
