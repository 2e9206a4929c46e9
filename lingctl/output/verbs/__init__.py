"""What single verbs show."""
