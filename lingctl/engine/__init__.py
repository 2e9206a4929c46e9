"""The seam for engines: what a serving engine has to tell of itself, and what all of them share."""
