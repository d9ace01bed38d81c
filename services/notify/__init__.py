"""Notices: planned once, delivered once, and every delivery in the ledger (N1, N5, N6)."""
