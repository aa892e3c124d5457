"""Who has which address, and who may log in: a file, or LDAP."""
