"""Apply and revert in a mount of its own: ``python -m tests.node_overlay.there_and_back ROOT``."""

import sys
from pathlib import Path

from tests.node_overlay.trees import do, state_of

if __name__ == "__main__":
    root = Path(sys.argv[1])
    print(state_of(root))
    do("apply", root)
    print(state_of(root))
    print(do("revert", root)["identical"])
