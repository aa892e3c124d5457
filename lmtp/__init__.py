"""LMTP (RFC 2033): takes mail and deposits it, sealed to the public key."""
