"""Incidents from report to closure: their state, record, channel and resources."""
