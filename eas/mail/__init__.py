"""The RFC 5322 side: bodies, composing, submission."""
