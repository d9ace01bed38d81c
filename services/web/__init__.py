"""Pages: one front door over the services."""
