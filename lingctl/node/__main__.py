"""``python -m lingctl.node`` does what the zipapp does."""

import sys

from lingctl.node.main import main

sys.exit(main())
