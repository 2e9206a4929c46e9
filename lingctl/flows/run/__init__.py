"""How any change is carried out: its story, the person's part in it, lock, journal, steps."""
