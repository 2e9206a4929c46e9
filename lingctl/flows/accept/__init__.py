"""The acceptance of a service: every proof there is, in one run, with a report that can be handed over."""
