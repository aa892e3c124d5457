"""WBXML as ActiveSync uses it: bytes to element tree and back ([MS-ASWBXML])."""
