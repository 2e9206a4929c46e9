"""What is known of failures and codes, and the page that tells it."""
