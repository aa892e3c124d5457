"""Captures: recorded once, replayed against the server by every run of the tests."""
