"""Item classes: element tree to typed item and back."""
