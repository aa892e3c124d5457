"""Who has news: in the process, on the machine, across machines."""
