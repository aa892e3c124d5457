"""What a browser or a set-up assistant sees."""
