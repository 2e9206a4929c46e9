"""The report of an acceptance as a page, and two of them side by side."""
