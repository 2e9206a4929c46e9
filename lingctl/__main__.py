"""``python -m lingctl``."""

from lingctl.cli.app import main

main()
