"""Mail that goes out once."""
