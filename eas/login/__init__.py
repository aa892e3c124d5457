"""Who is asking: credentials, sessions, and the slowing of guesses."""
