"""Where the Muster of a data folder runs, for commands that are given beside it."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

_NAME = "running.json"


class Running(BaseModel):
    """The addresses of a running `muster up`: what links begin with, and its Temporal as ``HOST:PORT``."""

    base_url: str
    temporal: str

    def write(self, data_dir: Path) -> None:
        """Leave the addresses in the data folder."""
        (data_dir / _NAME).write_text(self.model_dump_json(indent=2) + "\n")

    @staticmethod
    def forget(data_dir: Path) -> None:
        """Take them away again."""
        (data_dir / _NAME).unlink(missing_ok=True)

    @classmethod
    def read(cls, data_dir: Path) -> "Running | None":
        """The addresses; None if none were left. They may be of one that was killed."""
        try:
            return cls.model_validate_json((data_dir / _NAME).read_bytes())
        except (OSError, ValidationError):
            return None
