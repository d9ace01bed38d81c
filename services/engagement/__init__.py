"""Contacts and their terms, whom an incident engages and why, and who takes part."""
