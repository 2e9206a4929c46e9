"""The terminal itself: its streams, width, live lines, and text made fit for it."""
