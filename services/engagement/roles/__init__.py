"""Roles (E9): those of the organization's own, and the policies that choose who has them, and who commands."""
