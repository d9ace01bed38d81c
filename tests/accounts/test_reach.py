"""What an organization's owner can have Muster ask (O3)."""

import pytest

from services.accounts.reach import Reach

pytestmark = pytest.mark.feature("O3")
PUBLIC, PRIVATE, LOOPBACK = "https://9.9.9.9", "http://10.0.0.1:8000", "http://127.0.0.1:8000"
NEIGHBOURS = ("https://10.1.2.3", "https://192.168.0.1:5432", "https://[fd00::1]", "https://[::ffff:10.1.2.3]")
NEVER = (
    "https://127.0.0.1",
    "https://localhost:6379",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://169.254.169.254",
    "https://[fe80::1]",
    "https://0.0.0.0",
    "https://[::]",
    "https://224.0.0.1",
    "https://nowhere.invalid",
    "https://",
    "http://9.9.9.9",
)


@pytest.mark.parametrize("home", [PUBLIC, "https://nowhere.invalid", "http://0.0.0.0:8000"])
async def test_from_a_public_address_only_what_is_public_is_asked(home: str) -> None:
    asked = ("https://1.1.1.1", "https://[2606:4700::1111]", *NEIGHBOURS, *NEVER)
    assert [each for each in asked if await Reach(home).allows(each)] == list(asked[:2])


async def test_from_a_private_address_its_network_is_asked_too_but_not_the_machine_itself() -> None:
    asked = ("https://1.1.1.1", *NEIGHBOURS, *NEVER, "http://10.1.2.3")
    assert [each for each in asked if await Reach(PRIVATE).allows(each)] == list(asked[:5])


@pytest.mark.parametrize("home", [LOOPBACK, "http://localhost:8000", "http://[::1]"])
async def test_from_loopback_everything_that_is_somewhere_is_asked(home: str) -> None:
    asked = ("https://1.1.1.1", "http://127.0.0.1:9", "http://localhost:9", "https://10.1.2.3")
    assert [each for each in asked if await Reach(home).allows(each)] == list(asked)
    assert not await Reach(home).allows("https://nowhere.invalid")
