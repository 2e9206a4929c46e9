"""What every model folder builds on."""
