"""What each path answers: one module per form, whole and streamed."""
