"""An OpenID Connect provider that says whatever a test wants."""

import asyncio
import base64
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID: Final = "muster"
CLIENT_SECRET: Final = "not to be seen anywhere"
ACCESS_TOKEN: Final = "an access token not to be seen"
KEY: Final = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@dataclass
class AnyProvider:
    """The provider, and a browser's way to it and back. What is set here is what it says."""

    issuer: str
    nonce: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [KEY])
    key: RSAKey = field(default_factory=lambda: KEY)
    sign: Callable[[dict[str, Any]], str] | None = None
    discovery: Callable[[], Response] | None = None
    tokens: Callable[[], Response] | None = None
    user_info: dict[str, Any] | None = None
    seen: list[dict[str, str]] = field(default_factory=list)
    """The forms that the token endpoint got."""

    def setting(self, **more: Any) -> dict[str, Any]:
        """What an organization's owner sets to sign in by it."""
        return {"name": "Some ID", "issuer": self.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}

    async def begin(self, browser: httpx.AsyncClient, slug: str, after: str = "") -> dict[str, str]:
        """Press "Continue with …": what Muster asks."""
        answer = await browser.get(f"/{slug}/sign-in/provider", params={"next": after})
        assert answer.status_code == 303, answer.text
        address = urlsplit(answer.headers["location"])
        assert f"{address.scheme}://{address.netloc}{address.path}" == f"{self.issuer}/authorize"
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.nonce = asked["nonce"]
        return asked

    async def come_back(self, browser: httpx.AsyncClient, slug: str, state: str, **more: str) -> httpx.Response:
        """Come back from the provider."""
        return await browser.get(f"/{slug}/sign-in/callback", params={"code": "a code not to be seen", "state": state, **more})

    async def sign_in(self, browser: httpx.AsyncClient, slug: str, after: str = "", **more: str) -> httpx.Response:
        """There and back."""
        asked = await self.begin(browser, slug, after)
        return await self.come_back(browser, slug, asked["state"], **more)

    def id_token(self) -> str:
        """The ID token that it gives."""
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "s-1", "nonce": self.nonce, "iat": now, "exp": now + 300}
        claims = {name: value for name, value in (usual | self.claims).items() if value is not None}
        return self.sign(claims) if self.sign else jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


@asynccontextmanager
async def any_provider() -> AsyncIterator[AnyProvider]:
    """Run the provider until the block ends."""
    app = FastAPI(openapi_url=None)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    # What an issuer publishes is remembered, and a port may have been another provider's.
    path = f"/{uuid.uuid4().hex}"
    provider = AnyProvider(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}{path}")
    app.include_router(_router(provider), prefix=path)
    try:
        yield provider
    finally:
        server.should_exit = True
        await serving


def _router(provider: AnyProvider) -> APIRouter:
    router = APIRouter()

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> Response:
        if provider.discovery is not None:
            return provider.discovery()
        issuer = provider.issuer
        published = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token"}
        return JSONResponse(published | {"jwks_uri": f"{issuer}/keys", "userinfo_endpoint": f"{issuer}/me"} | provider.metadata)

    @router.get("/keys")
    async def keys() -> Response:
        return JSONResponse(KeySet(list(provider.keys)).as_dict())

    @router.post("/token")
    async def token(request: Request) -> Response:
        provider.seen.append({name: str(value) for name, value in (await request.form()).items()})
        provider.seen[-1]["authorization"] = request.headers.get("authorization", "")
        if provider.tokens is not None:
            return provider.tokens()
        return JSONResponse({"id_token": provider.id_token(), "access_token": ACCESS_TOKEN, "token_type": "Bearer"})

    @router.get("/me")
    async def me(request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
        return JSONResponse(provider.user_info or {"sub": "s-1"})

    return router


def challenge(verifier: str) -> str:
    """What a verifier was announced by (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
