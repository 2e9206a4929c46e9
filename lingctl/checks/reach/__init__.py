"""Who reaches whom: cards over their own network, nodes over the hosts' network."""
