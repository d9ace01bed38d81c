"""Incidents as pydantic models and pure functions: ``decide(state, command) -> events``, ``evolve(state, event) -> state``."""
