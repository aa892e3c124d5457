"""From passwords to an account's keys, and back to new passwords."""
