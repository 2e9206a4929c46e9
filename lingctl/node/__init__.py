"""Programs that run on a node: standard library only, Python 3.9 and newer.

What runs there is the same code that runs here: ``lingctl.program.pack`` packs this package into
one zipapp. It imports nothing of the rest of lingctl.
"""
