"""One process, or several: wiring, ports, workers, housekeeping."""
