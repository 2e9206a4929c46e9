"""What changes a running service: deploy, rollback, restart, stop."""
