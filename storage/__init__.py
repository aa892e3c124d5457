"""Accounts, folders, items, keys, log and blobs; knows not one word of ActiveSync or LMTP."""
