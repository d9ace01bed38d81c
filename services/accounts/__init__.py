"""Organizations, accounts, sessions and tokens."""
