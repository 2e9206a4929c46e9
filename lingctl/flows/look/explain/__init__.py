"""explain: what codes and logs mean."""
