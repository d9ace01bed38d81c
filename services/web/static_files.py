"""Styles and scripts: ours, and those of others that set-up fetched."""

from pathlib import Path

from fastapi.staticfiles import StaticFiles


def static_files() -> StaticFiles:
    """What is served under ``/static``."""
    return StaticFiles(directory=Path(__file__).parent / "static")
