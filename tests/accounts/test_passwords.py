"""What makes a password, and what looking at one costs everybody else (O3)."""

import asyncio
import time

import pytest

from services.accounts import passwords
from services.kit.errors import Invalid

SLOW = "4@8({[<3€6\u200969&#!1|0$5+7%2/" * 11
"""As many ways to read it as leet allows: the worst that the estimate of guesses can be given."""


@pytest.mark.feature("O3")
async def test_looking_at_a_password_keeps_nobody_waiting() -> None:
    longest, last, ended = 0.0, time.monotonic(), asyncio.Event()

    async def everybody_else() -> None:
        nonlocal longest, last
        while not ended.is_set():
            await asyncio.sleep(0)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    others = asyncio.create_task(everybody_else())
    began = time.monotonic()
    await passwords.check(SLOW[: passwords.MAX_LENGTH], [])
    took = time.monotonic() - began
    ended.set()
    await others
    assert longest < max(took / 2, 0.25)


@pytest.mark.feature("O3")
@pytest.mark.parametrize("password", ["muster muster nia", "passwordpassword", "aaaaaaaaaaaaaaaaaaaa", "a" * 256])
async def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        await passwords.check(password, ["Nia"])
    assert refused.value.errors[0].code == "password_guessable"


@pytest.mark.feature("O3")
@pytest.mark.parametrize("password", ["seven quiet herons wait", "nia and seven quiet herons", "Пять тихих цапель ждут"])
async def test_a_sentence_is_a_password(password: str) -> None:
    await passwords.check(password, ["Nia"])
