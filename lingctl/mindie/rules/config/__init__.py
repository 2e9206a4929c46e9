"""Rules over several fields of config.json, by what the fields are about."""
