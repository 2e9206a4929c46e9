"""Pages: whole HTML files that load nothing, for screen and paper."""
