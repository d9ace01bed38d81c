"""A browser without scripts: it follows nothing by itself, and sends the forms that are there."""

import re
from dataclasses import dataclass

import httpx

HTML = {"Accept": "text/html"}


@dataclass
class Browser:
    """A browser without scripts."""

    client: httpx.AsyncClient
    slug: str

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def send(self, form: str, action: str, **fields: str) -> httpx.Response:
        """Send the form with this action from the page ``form``, with its hidden fields and these."""
        page = (await self.client.get(form)).text
        found = re.search(rf'<form[^>]*method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
        assert found, f"there is no form for {action} on {form}"
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found.group()))
        return await self.client.post(action, data=hidden | fields)
