"""Engagement rules (E3): kept by administrators, found by their anchors, judged when an incident changes."""
