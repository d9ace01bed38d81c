"""The workflow classes."""
