"""An emulated docker engine: real namespaces, the command line of docker 20.10, and nothing pretended."""
