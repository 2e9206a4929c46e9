"""Every request of a file: to a running service, or in its container without one."""
