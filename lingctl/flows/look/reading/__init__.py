"""Logs and archives of this machine, read as what anybody may have sent: of any length, within bounds."""
