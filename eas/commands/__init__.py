"""One module a command: `parse`, `handle`, `render`; the table of them is `table.py`."""
