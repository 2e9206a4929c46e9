"""How any change is carried out: locked, written down, step by step."""
