"""Making an organization from the command line takes what the API takes (O1)."""

import pytest
from typer.testing import CliRunner

from services.cli import cli


@pytest.mark.feature("O1")
@pytest.mark.parametrize(
    ("option", "given", "reason"),
    [
        ("--owner-email", "notanaddress", "This is not an e-mail address like ana@example.org."),
        ("--owner-name", " ", "This is needed."),
        ("--name", "x" * 201, "This is too long: at most 200 characters."),
    ],
)
def test_what_the_api_refuses_the_command_refuses_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, option: str, given: str, reason: str
) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    given_as = {"--owner-email": "ana@x.example", option: given}
    refused = CliRunner().invoke(cli, ["org", "create", "acme", *(word for pair in given_as.items() for word in pair)])
    assert refused.exit_code == 2
    assert option in refused.output
    assert reason in refused.output
