"""One node over SSH: the login, the host key, commands, forwarded ports."""
