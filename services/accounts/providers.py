"""Asking an OpenID Connect provider where its endpoints are, and who somebody is.

Nothing it answers is believed before it is checked, and what it answers wrongly is never repeated in an error.
"""

import asyncio
import json
import ssl
import time
from typing import Annotated, Any, Final
from urllib.parse import quote_plus, urlsplit

import httpx
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from services.accounts.reach import Reach
from services.kit.schemas import Email
from services.store.accounts import Attempt, Provider

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""How an ID token may be signed: never with a secret, which the client has as well, and never not at all (RFC 8725, 3.1)."""
SCOPE: Final = "openid email profile"
LEEWAY: Final = 60
"""Seconds that the provider's clock may be off."""
MAX_ANSWER: Final = 256 * 1024
"""Bytes of an answer; real ones have a few thousand."""
FRESH: Final = 300.0
"""Seconds that endpoints and keys are taken for what they were."""
MAX_KNOWN: Final = 1_000
"""Providers whose endpoints and keys are kept."""
_STEP: Final = httpx.Timeout(5)
_WHOLE: Final = 10.0
"""Seconds an answer may take as a whole: a step's limit does not hold up who sends a byte at a time."""
_TLS: Final = ssl.create_default_context()
_PLAIN: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""Nothing is unpacked: a few bytes could become any number."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SIGNATURES: Final = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
"""Header fields that are not known are ignored, as RFC 7515, section 4, asks; those that are critical are not."""


class ProviderFailedError(Exception):
    """The provider is down, or answers what it must not. The text is for administrators and the log; it has no secret in it."""


class ProviderRefusedError(Exception):
    """The provider refuses the code, or Muster's client id and secret."""


class IdTokenError(Exception):
    """What the provider says of somebody does not hold. The text says which rule it breaks."""


class Metadata(BaseModel):
    """What a provider publishes about itself (OpenID Connect Discovery 1.0, section 3), as far as it is used here."""

    model_config = ConfigDict(strict=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False


def _printable(given: object) -> object:
    """A name as far as it can be shown and kept; people do not choose how their provider writes it."""
    return " ".join("".join(filter(str.isprintable, given)).split())[:200] if isinstance(given, str) else ""


class Identity(BaseModel):
    """Who somebody is to their provider (OpenID Connect Core 1.0, sections 2 and 5.1). ``sub`` never changes; all else may."""

    sub: Annotated[str, StringConstraints(strict=True, pattern=r"^[ -~]{1,255}$")]
    email: Email | None = None
    email_verified: Any = None
    name: Annotated[str, BeforeValidator(_printable)] = ""

    @property
    def address(self) -> str | None:
        """The address, if the provider has made sure that it is theirs."""
        return self.email if self.email_verified is True else None


class Providers:
    """Asks providers, and keeps what they publish for a short while. ``base_url`` is where people reach Muster."""

    def __init__(self, base_url: str) -> None:
        self._reach = Reach(base_url)
        self._published: dict[str, tuple[float, Metadata, KeySet]] = {}

    async def published(self, issuer: str, *, fresh: bool = False) -> tuple[Metadata, KeySet]:
        """A provider's endpoints and keys; ``fresh``: as they are now.

        Raises:
            ProviderFailedError.
        """
        known = self._published.get(issuer)
        if known is not None and not fresh and time.monotonic() - known[0] < FRESH:
            return known[1], known[2]
        _check_issuer(issuer)
        metadata = _metadata(issuer, await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
        keys = _keys(await self._ask("GET", metadata.jwks_uri))
        if len(self._published) >= MAX_KNOWN:
            self._published.clear()
        self._published[issuer] = (time.monotonic(), metadata, keys)
        return metadata, keys

    async def address(self, provider: Provider, attempt: Attempt, state: str, redirect_uri: str) -> str:
        """Where a browser goes to sign in: the authorization code flow, with PKCE (RFC 7636).

        Raises:
            ProviderFailedError.
        """
        metadata, _ = await self.published(provider.issuer)
        client = OAuth2Client(
            None, client_id=provider.client_id, scope=SCOPE, redirect_uri=redirect_uri, code_challenge_method="S256"
        )
        address, _ = client.create_authorization_url(
            metadata.authorization_endpoint, state=state, nonce=attempt.nonce, code_verifier=attempt.code_verifier
        )
        return str(address)

    async def identity(self, provider: Provider, attempt: Attempt, code: str, redirect_uri: str) -> Identity:
        """Who it is that came back with a code.

        Raises:
            ProviderFailedError, ProviderRefusedError, IdTokenError.
        """
        metadata, _ = await self.published(provider.issuer)
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.code_verifier,
        }
        answer = await self._ask("POST", metadata.token_endpoint, **_as_client(provider, metadata, body))
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise ProviderFailedError("the token endpoint answers without an ID token or an access token")
        claims = await self._verified(provider, id_token, access_token, attempt.nonce)
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            claims |= await self._user_info(metadata.userinfo_endpoint, access_token, claims["sub"])
        try:
            return Identity.model_validate(claims)
        except ValidationError as error:
            raise IdTokenError(
                f"claims not as they must be: {sorted({str(fault['loc'][0]) for fault in error.errors()})}"
            ) from None

    async def _verified(self, provider: Provider, id_token: str, access_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token, checked as OpenID Connect Core 1.0, section 3.1.3.7, says."""
        try:
            try:
                _, keys = await self.published(provider.issuer)
                token = jwt.decode(id_token, keys, registry=_SIGNATURES)
            except InvalidKeyIdError:
                # The provider may have new keys since; if not, it is not its signature.
                _, keys = await self.published(provider.issuer, fresh=True)
                token = jwt.decode(id_token, keys, registry=_SIGNATURES)
            options = {
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
                "sub": {"essential": True},
            }
            params = {"nonce": nonce, "client_id": provider.client_id, "access_token": access_token}
            CodeIDToken(token.claims, token.header, options, params).validate(leeway=LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            # Their words name a rule or a claim, and say nothing of its value.
            raise IdTokenError(getattr(error, "error", type(error).__name__)) from None
        return token.claims

    async def _user_info(self, endpoint: str, access_token: str, subject: str) -> dict[str, Any]:
        """What the provider tells of somebody beside the ID token; it must be of the same one (Core 1.0, section 5.3.2)."""
        answer = await self._ask("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
        if answer.get("sub") != subject:
            raise IdTokenError("the user info is somebody else's")
        return answer

    async def _ask(self, method: str, address: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """See ``_ask``. The host is looked up each time: where its name leads can change."""
        if not await self._reach.allows(address):
            raise ProviderFailedError("its host is not known, or has an address that is not to be asked from here")
        return await _ask(method, address, **request)


def _metadata(issuer: str, answer: dict[str, Any]) -> Metadata:
    try:
        metadata = Metadata.model_validate(answer)
    except ValidationError as error:
        names = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors()}))
        raise ProviderFailedError(f"what it publishes about itself lacks or spoils: {names}") from None
    if metadata.issuer != issuer:
        # Discovery, section 4.3: or one provider could speak for another.
        raise ProviderFailedError("it publishes another issuer than this one; they must be the same, to the last slash")
    endpoints = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri, metadata.userinfo_endpoint)
    for address in endpoints:
        if address is not None:
            _check_address(address, issuer)
    return metadata


def _check_issuer(issuer: str) -> None:
    """An issuer is an address without a query (Discovery, section 3): what is asked begins with it, and goes on after it."""
    if "?" in issuer or "#" in issuer:
        raise ProviderFailedError("an issuer has neither a query nor a fragment")
    _check_address(issuer, issuer)


def _check_address(address: str, issuer: str) -> None:
    """HTTPS everywhere; a provider on this machine may do without, and only such a one may send us to this machine by HTTP."""
    try:
        parts, home = urlsplit(address), urlsplit(issuer)
        local = {parts.hostname, home.hostname} <= _LOOPBACK
    except ValueError:
        raise ProviderFailedError("an address that it has is none") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ProviderFailedError("its addresses must begin with https://")
    if not parts.hostname or parts.username is not None or parts.fragment or not address.isprintable() or " " in address:
        raise ProviderFailedError("an address that it has is none")


def _keys(answer: dict[str, Any]) -> KeySet:
    found = answer.get("keys")
    try:
        # A key of a kind that is not known is passed over; so is a secret one, which nobody publishes.
        keys = [key for key in found or [] if isinstance(key, dict) and key.get("kty") != "oct"]
        return KeySet.import_key_set({"keys": keys})
    except (JoseError, ValueError, TypeError, KeyError):
        raise ProviderFailedError("it publishes no keys to check its signatures with") from None


def _as_client(provider: Provider, metadata: Metadata, body: dict[str, str]) -> dict[str, Any]:
    """The request as from Muster: by Basic authentication, unless the provider wants the secret in the body (RFC 6749, 2.3.1)."""
    methods = metadata.token_endpoint_auth_methods_supported
    if "client_secret_basic" not in methods and "client_secret_post" in methods:
        return {"data": body | {"client_id": provider.client_id, "client_secret": provider.client_secret}}
    return {"data": body, "auth": httpx.BasicAuth(quote_plus(provider.client_id), quote_plus(provider.client_secret))}


async def _ask(method: str, address: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401
    """A provider's answer, a JSON object. No redirect is followed.

    Raises:
        ProviderFailedError. ProviderRefusedError: it understood, and said no (RFC 6749, 5.2).
    """
    body = bytearray()
    try:
        async with (
            asyncio.timeout(_WHOLE),
            httpx.AsyncClient(headers=_PLAIN, verify=_TLS, timeout=_STEP, follow_redirects=False) as client,
            client.stream(method, address, **request) as response,
        ):
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_ANSWER:
                    raise ProviderFailedError(f"an answer has more than {MAX_ANSWER} bytes")
        answer = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise ProviderFailedError(f"no answer ({type(error).__name__})") from None
    except (ValueError, RecursionError):
        raise ProviderFailedError(f"an answer with status {response.status_code} that is not JSON") from None
    if response.status_code in {400, 401}:
        raise ProviderRefusedError(f"status {response.status_code}")
    if response.status_code != 200 or not isinstance(answer, dict):
        raise ProviderFailedError(f"an answer with status {response.status_code} that is of no use")
    return answer
