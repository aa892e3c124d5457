"""Searching the mailbox and the address book."""
