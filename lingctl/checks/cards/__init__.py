"""What is judged of cards: count, health, addresses, ports, super-pods."""
