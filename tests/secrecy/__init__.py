"""With disk, bucket and log in hand, and no password, nothing is found of what mail says or who wrote it."""
