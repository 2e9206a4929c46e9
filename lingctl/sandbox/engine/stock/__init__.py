"""Files that the emulated images hold verbatim."""
