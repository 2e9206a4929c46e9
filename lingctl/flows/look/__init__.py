"""What an operator looks at: what runs, what was logged, what was done."""
