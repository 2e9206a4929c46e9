"""``python -m lingctl``."""

from lingctl.cli.start import main

main()
