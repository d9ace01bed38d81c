"""Trying things out before they count (E7): nothing is changed by it."""
