"""Facts to Findings. Pure: no sockets, no clock, no terminal."""
