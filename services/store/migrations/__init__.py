"""Migrations: forward from every released revision, each in one transaction, with a limit on waiting for locks."""
