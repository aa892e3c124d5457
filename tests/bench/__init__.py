"""Measurements, each beside its budget: `python -m tests.bench`."""
