"""What rules and role policies have in common: their conditions, whom they name, and that every change is a version."""
