"""How OpenSSH's client would log in: its patterns, its configuration files, and what comes of both."""
