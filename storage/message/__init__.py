"""Messages as they are stored: where each part lies, and the summary that lists show."""
