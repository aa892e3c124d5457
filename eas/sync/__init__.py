"""What a device has and what it lacks: views, keys, deltas, and who waits for news."""
