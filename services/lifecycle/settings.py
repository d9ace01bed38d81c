"""The lifecycle service's settings."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LifecycleServiceSettings(BaseSettings):
    """How incidents get their resources."""

    model_config = SettingsConfigDict(env_prefix="MUSTER_", extra="ignore")

    call_url_template: str = Field(
        default="https://meet.jit.si/{organization}-{reference}-{secret}",
        description="The call link of an incident, with {organization}, {reference} and {secret}; empty for no calls.",
    )
