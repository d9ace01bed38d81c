"""Chat platforms: one interface, with the built-in channel behind it. Slack will be the next."""
