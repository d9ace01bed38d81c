"""Settings by ``MUSTER_*`` variables, one section a service. No secret has a usable default."""

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.kit.database import sqlite_url

Port = Annotated[int, Field(ge=0, le=65_535)]


class Settings(BaseSettings):
    """What every process of Muster needs to know."""

    model_config = SettingsConfigDict(env_prefix="MUSTER_", extra="ignore")

    data_dir: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default_factory=lambda: user_data_path("muster"), description="Where the database, Temporal's data and the token are."
    )
    database_url: str | None = Field(
        default=None,
        pattern="^postgresql",
        description="PostgreSQL as postgresql://user:password@host/name; without it SQLite in the data folder.",
    )
    host: str = Field(default="127.0.0.1", description="The address the HTTP server listens on.")
    port: Port = Field(default=8000, description="The port the HTTP server listens on.")
    public_url: str | None = Field(default=None, description="Where people reach Muster; links in messages begin with it.")
    temporal_port: Port = Field(default=7233, description="The embedded Temporal's port, when TEMPORAL_ADDRESS is not set.")
    temporal_ui_port: Port = Field(default=8233, description="The port of the embedded Temporal's Web UI.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="How much is logged.")

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or sqlite_url(self.data_dir / "muster.db")

    @property
    def base_url(self) -> str:
        """What links begin with, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether people come by HTTPS."""
        return self.base_url.startswith("https:")
