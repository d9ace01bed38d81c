"""The notify service's settings."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SmtpSettings(BaseSettings):
    """Where mail goes out. Without a host, mail stays in the built-in inbox."""

    model_config = SettingsConfigDict(env_prefix="MUSTER_SMTP_", extra="ignore")

    host: str | None = Field(default=None, description="The mail server; without it mail stays in the built-in inbox.")
    port: int = Field(default=587, description="Its port.")
    security: Literal["none", "starttls", "tls"] = Field(default="starttls", description="How the connection is protected.")
    username: str | None = Field(default=None, description="The account to send with, if the server wants one.")
    password: SecretStr | None = Field(default=None, description="That account's password.")
    sender: str = Field(default="Muster <muster@localhost>", description="The From address of every mail.")
