"""Fuzz targets: each takes any bytes and may raise nothing; run them with `python -m tests.fuzz`."""
