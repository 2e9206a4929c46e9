"""What every code of an error and every name of a check means: one file of texts a subject."""
