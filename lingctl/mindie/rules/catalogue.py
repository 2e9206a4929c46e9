"""Every rule of config.json that concerns more than the type and range of one field."""

from __future__ import annotations

from lingctl.mindie.rules.config import layerwise, lengths, model, node, optional, parallel, schedule, tls
from lingctl.mindie.rules.rule import Rule

# In this order files are judged and the reference page is written.
_MODULES = (node, model, schedule, optional, layerwise, tls, lengths, parallel)
RULES = tuple(one for module in _MODULES for one in vars(module).values() if isinstance(one, Rule))
