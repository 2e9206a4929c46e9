"""Files from machine to machine: who gives, who takes, and how they talk."""
