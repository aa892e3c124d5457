"""What removes, and packs, what lies in the store."""
