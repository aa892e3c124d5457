"""One module a command: `parse`, `handle`, `render`."""
