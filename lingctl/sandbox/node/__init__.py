"""An emulated node: its first process, files, faults, SSH server and tools."""
