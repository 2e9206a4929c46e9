"""Whether a node is who it should be: known_hosts, certificates, the key that it shows."""
