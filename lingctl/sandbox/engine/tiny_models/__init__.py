"""The making of tiny models that answer sensibly, and of the mistakes that people make with real ones."""
