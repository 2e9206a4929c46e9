"""The verbs that change what runs, or look at what was changed."""
