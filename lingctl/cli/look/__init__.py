"""The verbs that look at a cluster that was deployed."""
