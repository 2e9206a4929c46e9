"""Reading MindIE's consoles and logs: how far a daemon came, what its failures mean, whose came first."""
