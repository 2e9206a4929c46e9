"""From a Target to a logged-in transport, as OpenSSH's client gets there; paramiko speaks the protocol."""
