"""The only room that knows terminals: colour, tables, JSON documents, progress, questions."""
