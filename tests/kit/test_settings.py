"""Settings: each is described, and no secret has a usable default."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.kit.settings import Settings
from services.lifecycle.settings import LifecycleServiceSettings
from services.notify.settings import SmtpSettings

ALL: list[type[BaseSettings]] = [Settings, LifecycleServiceSettings, SmtpSettings]


@pytest.mark.parametrize("section", ALL)
def test_each_setting_is_described(section: type[BaseSettings]) -> None:
    assert str(section.model_config["env_prefix"]).startswith("MUSTER_")
    for name, field in section.model_fields.items():
        assert field.description, name
        if SecretStr in getattr(field.annotation, "__args__", (field.annotation,)):
            assert field.default is None, name


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUSTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MUSTER_PORT", "9000")
    monkeypatch.setenv("MUSTER_PUBLIC_URL", "https://muster.example.org/")
    settings = Settings()
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/muster.db"
    assert settings.base_url == "https://muster.example.org"
    monkeypatch.delenv("MUSTER_PUBLIC_URL")
    monkeypatch.setenv("MUSTER_DATABASE_URL", "postgresql://muster@db/muster")
    assert Settings().base_url == "http://127.0.0.1:9000"
    assert Settings().database == "postgresql://muster@db/muster"
