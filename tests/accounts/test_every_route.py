"""Every route, called as everyone there can be: who may, and that whoever may not changes nothing (O4)."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import select

from services.kit.clock import now
from services.kit.ids import new_id
from services.kit.temporal_server import EmbeddedTemporal
from services.store.accounts import Credential, Token
from services.store.incidents import Incident
from services.store.secrets import new_secret
from tests.accounts.every_route import Way, as_session, as_token, every_way, send
from tests.accounts.members import member
from tests.accounts.two_organizations import (
    Place,
    closing,
    fill,
    new_place,
    nothing_changes,
    of_incident,
    put_provider,
)
from tests.conftest import new_muster
from tests.kit.problems import problem
from workflows.domain.events import Visibility
from workflows.domain.policy import (
    AccountObject,
    Action,
    ContactObject,
    Decision,
    IncidentObject,
    MessageObject,
    Object,
    OrganizationObject,
    Role,
    Scope,
    Subject,
    Tie,
    TokenObject,
    decide,
    grants,
)

pytestmark = pytest.mark.feature("O4")


@dataclass(frozen=True)
class Caller:
    """Someone who calls every route."""

    name: str
    role: Role
    program: httpx.AsyncClient
    """What calls the API."""
    browser: httpx.AsyncClient
    """What calls the pages."""
    scopes: frozenset[Scope] | None = None
    tie: Tie = Tie.NONE
    project_member: bool = False
    is_owner: bool = False


Rule = Callable[[Caller, Visibility], Decision]
YES = Decision(allowed=True)
NOT_YOURS = Decision(allowed=False, visible=False)


def on(action: Action, target: Object = OrganizationObject()) -> Rule:  # noqa: B008  (immutable)
    """Whoever the policy lets do that to something."""
    return lambda caller, _: decide(Subject(role=caller.role), action, target)


def incident(action: Action) -> Rule:
    """Whoever the policy lets do that to an incident."""

    def rule(caller: Caller, visibility: Visibility) -> Decision:
        seen = IncidentObject(visibility=visibility, tie=caller.tie, project_member=caller.project_member)
        return decide(Subject(role=caller.role), action, seen)

    return rule


EVERYBODY: Rule = lambda caller, visibility: YES  # noqa: E731
THE_OWNER: Rule = lambda caller, visibility: YES if caller.is_owner else NOT_YOURS  # noqa: E731
CONTACTS = on(Action.EDIT_CONTACT, ContactObject())
MEMBERS = on(Action.MANAGE_ACCOUNT, AccountObject(role=Role.ADMIN))
SIGN_IN = on(Action.MANAGE_ACCOUNT, AccountObject(role=Role.OWNER))
TOKENS = on(Action.MANAGE_TOKEN, TokenObject(role=Role.MEMBER))
MESSAGES = on(Action.READ_MESSAGE, MessageObject())
SEE = incident(Action.SEE)

MAY: list[tuple[Scope, Rule, str]] = [
    (
        Scope.READ,
        EVERYBODY,
        """
        GET /me, GET /projects, GET /projects/{project}, GET /incident-types, GET /severities, GET /priorities
        GET /individuals, GET /individuals/{individual}, GET /incidents, GET /deliveries, GET /inbox
        GET /teams, GET /teams/{team}, GET /oncall-services, GET /oncall-services/{service}
        GET /oncall-services/{service}/shifts, GET /oncall-services/{service}/on-call
        POST /engagement/preview of terms, POST /engagement/preview of a report
        GET /{org}, GET /{org}/incidents, GET /{org}/incidents/report
        GET /{org}/contacts, GET /{org}/contacts/individuals, GET /{org}/contacts/individuals/{individual}
        GET /{org}/contacts/individuals/{individual}/try, POST /{org}/contacts/individuals/{individual}/try
        GET /{org}/contacts/teams, GET /{org}/contacts/teams/{team}
        GET /{org}/contacts/teams/{team}/try, POST /{org}/contacts/teams/{team}/try
        GET /{org}/contacts/on-call, GET /{org}/contacts/on-call/{service}, GET /{org}/contacts/on-call/{service}/edit
        GET /{org}/contacts/on-call/{service}/edit/try, POST /{org}/contacts/on-call/{service}/edit/try
        GET /{org}/contacts/on-call/{service}/layers/{layer}, GET /{org}/incidents/{incident}/edit/preview
        GET /{org}/contacts/suggestions, GET /{org}/inbox, GET /{org}/deliveries, GET /{org}/preferences
        """,
    ),
    (
        Scope.WRITE,
        EVERYBODY,
        """
        PATCH /me, POST /{org}/preferences, POST /{org}/preferences/theme, POST /{org}/preferences/password
        """,
    ),
    (Scope.WRITE, THE_OWNER, "POST /{org}/preferences/sessions/end"),
    (Scope.REPORT, on(Action.REPORT), "POST /incidents, POST /{org}/incidents/report"),
    (
        Scope.READ,
        SEE,
        """
        GET /incidents/{incident}, GET /incidents/{incident}/receipt, GET /incidents/{incident}/participants
        GET /incidents/{incident}/subscribers
        GET /incidents/{incident}/engagements, GET /incidents/{incident}/engagements/why, GET /incidents/{incident}/timeline
        GET /incidents/{incident}/messages, GET /incidents/{incident}/stream, GET /incidents/{incident}/engagement-question
        GET /{org}/incidents/{incident}, GET /{org}/incidents/{incident}/receipt, GET /{org}/incidents/{incident}/why
        GET /{org}/incidents/{incident}/fragments/{name}, GET /{org}/incidents/{incident}/people
        GET /{org}/incidents/{incident}/people/following
        """,
    ),
    (Scope.READ, incident(Action.EXPORT), "GET /incidents/{incident}/record.json"),
    (Scope.WRITE, incident(Action.EDIT), "PATCH /incidents/{incident}, POST /{org}/incidents/{incident}/edit"),
    (
        Scope.READ,
        incident(Action.EDIT),
        """
        GET /{org}/incidents/{incident}/edit, POST /{org}/incidents/{incident}/edit/preview
        POST /engagement/preview of an edit
        """,
    ),
    (
        Scope.WRITE,
        incident(Action.ANSWER_ENGAGEMENT),
        "POST /incidents/{incident}/engagement-answer, POST /{org}/incidents/{incident}/engagement-answer",
    ),
    (
        Scope.WRITE,
        incident(Action.CHANGE_STATUS),
        "POST /incidents/{incident}/transitions, POST /{org}/incidents/{incident}/transitions",
    ),
    (Scope.READ, incident(Action.CHANGE_STATUS), "GET /{org}/incidents/{incident}/transitions"),
    (
        Scope.WRITE,
        incident(Action.ASSIGN_COMMANDER),
        """
        PUT /incidents/{incident}/commander, POST /{org}/incidents/{incident}/commander
        POST /{org}/incidents/{incident}/hand-over
        """,
    ),
    (
        Scope.WRITE,
        incident(Action.ADD_PARTICIPANT),
        "POST /incidents/{incident}/participants, POST /{org}/incidents/{incident}/participants",
    ),
    (
        Scope.WRITE,
        incident(Action.REMOVE_PARTICIPANT),
        """
        DELETE /incidents/{incident}/participants/{individual}
        POST /{org}/incidents/{incident}/participants/{individual}/remove
        """,
    ),
    (Scope.WRITE, incident(Action.JOIN), "POST /incidents/{incident}/join, POST /{org}/incidents/{incident}/join"),
    (
        Scope.WRITE,
        incident(Action.LEAVE),
        """
        POST /incidents/{incident}/leave, POST /{org}/incidents/{incident}/leave
        POST /incidents/{incident}/not-relevant, POST /{org}/incidents/{incident}/not-relevant
        """,
    ),
    (
        Scope.WRITE,
        incident(Action.SUBSCRIBE),
        """
        POST /incidents/{incident}/subscribe, POST /{org}/incidents/{incident}/subscribe
        POST /incidents/{incident}/unsubscribe, POST /{org}/incidents/{incident}/unsubscribe
        """,
    ),
    (
        Scope.WRITE,
        incident(Action.POST),
        """
        POST /incidents/{incident}/timeline, POST /{org}/incidents/{incident}/timeline
        POST /incidents/{incident}/messages, POST /{org}/incidents/{incident}/messages
        """,
    ),
    (
        Scope.WRITE,
        incident(Action.RETRY),
        """
        POST /incidents/{incident}/resources/{kind}/retry, POST /{org}/incidents/{incident}/resources/{kind}/retry
        POST /deliveries/{delivery}/retry, POST /{org}/deliveries/{delivery}/retry
        """,
    ),
    (Scope.READ, MESSAGES, "GET /{org}/inbox/{message}, GET /{org}/inbox/{message}/html"),
    (
        Scope.WRITE,
        CONTACTS,
        """
        POST /individuals, PATCH /individuals/{individual}, DELETE /individuals/{individual}, PUT /individuals/{individual}/terms
        POST /{org}/contacts/individuals, POST /{org}/contacts/individuals/{individual}
        POST /teams, PATCH /teams/{team}, DELETE /teams/{team}, PUT /teams/{team}/terms
        POST /{org}/contacts/teams, POST /{org}/contacts/teams/{team}
        POST /{org}/contacts/teams/{team}/members, POST /{org}/contacts/teams/{team}/members/remove
        POST /oncall-services, PATCH /oncall-services/{service}, DELETE /oncall-services/{service}
        PUT /oncall-services/{service}/terms, POST /oncall-services/{service}/overrides
        DELETE /oncall-services/{service}/overrides/{override}
        POST /{org}/contacts/on-call, POST /{org}/contacts/on-call/{service}/edit
        POST /{org}/contacts/on-call/{service}/overrides, POST /{org}/contacts/on-call/{service}/overrides/remove
        POST /{org}/contacts/on-call/{service}/layers/{layer}, POST /{org}/contacts/on-call/{service}/layers/{layer}/remove
        """,
    ),
    (Scope.ADMIN, EVERYBODY, "GET /tokens, POST /tokens, GET /{org}/settings/tokens, POST /{org}/settings/tokens"),
    (
        Scope.ADMIN,
        TOKENS,
        """
        GET /tokens/{token}, PATCH /tokens/{token}, DELETE /tokens/{token}
        GET /{org}/settings/tokens/{token}, POST /{org}/settings/tokens/{token}, POST /{org}/settings/tokens/{token}/revoke
        """,
    ),
    (
        Scope.ADMIN,
        on(Action.SEE_MEMBERS),
        """
        GET /members, GET /members/{account}, GET /projects/{project}/members
        GET /{org}/settings, GET /{org}/settings/members, GET /{org}/settings/members/{account}
        GET /{org}/settings/projects, GET /{org}/settings/projects/{project}
        """,
    ),
    (
        Scope.ADMIN,
        MEMBERS,
        """
        POST /members, PATCH /members/{account}, DELETE /members/{account}
        POST /members/{account}/invitation, POST /members/{account}/password-reset
        POST /{org}/settings/members, POST /{org}/settings/members/{account}
        POST /{org}/settings/members/{account}/deactivate, POST /{org}/settings/members/{account}/reactivate
        POST /{org}/settings/members/{account}/invitation, POST /{org}/settings/members/{account}/password-reset
        """,
    ),
    (
        Scope.ADMIN,
        on(Action.MANAGE_PROJECTS),
        """
        POST /projects, PATCH /projects/{project}, DELETE /projects/{project}
        PUT /projects/{project}/members/{account}, DELETE /projects/{project}/members/{account}
        POST /{org}/settings/projects, POST /{org}/settings/projects/{project}, POST /{org}/settings/projects/{project}/default
        POST /{org}/settings/projects/{project}/delete, POST /{org}/settings/projects/{project}/members
        POST /{org}/settings/projects/{project}/members/{account}/remove
        """,
    ),
    (Scope.READ, CONTACTS, "GET /engagement/terms"),
    (Scope.ADMIN, CONTACTS, "GET /{org}/settings/engagement/terms"),
    (Scope.ADMIN, on(Action.SEE_AUDIT), "GET /audit, GET /audit.csv, GET /{org}/settings/audit"),
    (Scope.ADMIN, on(Action.MANAGE_SETTINGS), "GET /sign-in-provider, GET /{org}/settings/sign-in"),
    (Scope.ADMIN, on(Action.MANAGE_SETTINGS), "GET /settings, PATCH /settings"),
    (
        Scope.ADMIN,
        on(Action.MANAGE_SETTINGS),
        "GET /{org}/settings/engagement/storm-guard, POST /{org}/settings/engagement/storm-guard",
    ),
    (
        Scope.ADMIN,
        on(Action.MANAGE_SETTINGS),
        """
        GET /engagement-rules, POST /engagement-rules, GET /engagement-rules/{rule}, PATCH /engagement-rules/{rule}
        DELETE /engagement-rules/{rule}, GET /engagement-rules/{rule}/versions
        GET /{org}/settings/engagement, GET /{org}/settings/engagement/rules/{rule}
        POST /{org}/settings/engagement/rules/{rule}, POST /{org}/settings/engagement/rules/{rule}/delete
        POST /{org}/settings/engagement/rules/{rule}/draft
        """,
    ),
    (Scope.ADMIN, EVERYBODY, "GET /{org}/settings/engagement/rules/{rule}/draft"),
    (
        Scope.ADMIN,
        on(Action.MANAGE_SETTINGS),
        """
        GET /role-policies, POST /role-policies of a person, POST /role-policies of a service, GET /role-policies/{policy}
        PATCH /role-policies/{policy} of a person, PATCH /role-policies/{policy} of a service
        DELETE /role-policies/{policy}, GET /role-policies/{policy}/versions
        GET /incident-roles, POST /incident-roles, GET /incident-roles/{role}, PATCH /incident-roles/{role}
        DELETE /incident-roles/{role}, GET /{org}/settings/engagement/roles, POST /{org}/settings/engagement/roles
        POST /{org}/settings/engagement/roles/{role}, GET /{org}/settings/engagement/roles/policies/{policy}
        POST /{org}/settings/engagement/roles/policies/{policy}, POST /{org}/settings/engagement/roles/policies/{policy}/delete
        POST /{org}/settings/engagement/roles/policies/{policy}/draft
        POST /{org}/settings/engagement/roles/policies/{policy}/move
        POST /{org}/settings/engagement/roles/policies/{policy}/switch
        """,
    ),
    (Scope.ADMIN, EVERYBODY, "GET /{org}/settings/engagement/roles/policies/{policy}/draft"),
    (Scope.READ, on(Action.MANAGE_SETTINGS), "POST /engagement/preview of a rule"),
    (
        Scope.ADMIN,
        SIGN_IN,
        """
        PUT /sign-in-provider, DELETE /sign-in-provider
        POST /{org}/settings/sign-in, POST /{org}/settings/sign-in/remove
        """,
    ),
    (
        Scope.ADMIN,
        on(Action.CREATE_ORGANIZATION),
        "GET /{org}/settings/organizations/new, POST /{org}/settings/organizations/new",
    ),
]
"""Who may call each route: the scope that a token needs, the rule for the account behind it, and the routes."""

OPEN: dict[str, int] = {
    "GET /api/docs": 200,
    "GET /": 303,
    "GET /incidents/report": 303,
    "GET /sign-in": 200,
    "POST /sign-in": 401,
    "GET /{org}/sign-in": 200,
    "POST /{org}/sign-in": 401,
    "POST /{org}/sign-out": 303,
    "GET /{org}/forgot-password": 200,
    "POST /{org}/forgot-password": 200,
    "GET /{org}/invitation": 401,
    "GET /{org}/reset-password": 401,
    "POST /{org}/invitation": 401,
    "POST /{org}/reset-password": 401,
    "GET /{org}/sign-in/provider": 503,
    "GET /{org}/sign-in/callback": 403,
}
"""What anybody may call, signed in or not, and what it answers to somebody who knows nothing."""

LATER: dict[str, set[int]] = {
    "PUT /sign-in-provider": {422},
    "POST /{org}/settings/sign-in": {422},
    "POST /{org}/preferences/password": {303, 422},
    "POST /incidents/{incident}/engagement-answer": {409},
    "POST /{org}/incidents/{incident}/engagement-answer": {409},
    "GET /incidents/{incident}/engagement-question": {404},
    "POST /deliveries/{delivery}/retry": {409},
    "POST /{org}/deliveries/{delivery}/retry": {409},
    "POST /incidents/{incident}/resources/{kind}/retry": {409},
    "POST /{org}/incidents/{incident}/resources/{kind}/retry": {409},
    "POST /incidents/{incident}/leave": {200, 409},
    "POST /{org}/incidents/{incident}/leave": {303, 409},
    "POST /incidents/{incident}/not-relevant": {200, 409},
    "POST /{org}/incidents/{incident}/not-relevant": {303, 409},
}
"""What is answered to whoever may, where the rest is refused: nothing failed, nobody is held back, or nobody is to leave."""


def rules() -> dict[str, tuple[Scope, Rule]]:
    """The table by route."""
    return {
        way.strip(): (scope, rule) for scope, rule, ways in MAY for way in ways.replace(",", "\n").splitlines() if way.strip()
    }


@dataclass
class Scene:
    """An organization, and everyone who calls; ``restricted`` is the same place with another incident in it."""

    public: Place
    restricted: Place
    ways: list[Way]
    callers: list[Caller]
    nobody: httpx.AsyncClient
    stack: AsyncExitStack

    def looks(self, way: Way) -> list[tuple[Place, Visibility]]:
        """With which incidents a route is called."""
        both = [(self.public, Visibility.PUBLIC), (self.restricted, Visibility.RESTRICTED)]
        return both if {"incident", "delivery"} & way.things.keys() else both[:1]

    async def person(self, name: str, role: Role = Role.MEMBER, tie: Tie = Tie.NONE, *, in_project: bool = False) -> Caller:
        """Somebody new."""
        place = self.public
        made = await self.stack.enter_async_context(member(place.muster, place.org, name, role, in_project=in_project))
        if tie is Tie.PARTICIPANT:
            for each in (self.public, self.restricted):
                here = f"/incidents/{each.fixed['incident']}/participants"
                await place.org.post(here, {"individual": made.individual})
        secret, secret_hash = new_secret("session")
        row = {"kind": "session", "secret_hash": secret_hash, "expires_at": now() + timedelta(days=1), "created_at": now()}
        async with place.database.write(place.id) as session:
            session.add(Credential(id=new_id(), account_id=made.account, organization_id=place.id, **row))
        program = await self.stack.enter_async_context(as_token(place.muster.base_url, made.token))
        browser = await self.stack.enter_async_context(as_session(place.muster.base_url, place.cookie, secret))
        return Caller(name, role, program, browser, None, tie, in_project)

    async def owner(self, *scopes: Scope) -> Caller:
        """The owner, by session, or by a token of these scopes for both the API and the pages."""
        place = self.public
        if not scopes:
            program = await self.stack.enter_async_context(as_token(place.muster.base_url, place.org.token))
            browser = await self.stack.enter_async_context(as_session(place.muster.base_url, place.cookie, place.session))
            return Caller("owner", Role.OWNER, program, browser, is_owner=True)
        secret, secret_hash = new_secret("token")
        row = {"name": "test", "secret_hash": secret_hash, "hint": "last", "created_at": now(), "created_by": place.account}
        async with place.database.write(place.id) as session:
            session.add(Token(id=new_id(), account_id=place.account, organization_id=place.id, scopes=list(scopes), **row))
        program = await self.stack.enter_async_context(as_token(place.muster.base_url, secret))
        return Caller(f"{scopes[0]} token", Role.OWNER, program, program, frozenset(scopes), is_owner=True)

    async def anew(self, caller: Caller) -> Caller:
        """Somebody else of the same kind, where the call changes what ties them to the incident."""
        if caller.role is not Role.MEMBER:
            return caller
        return await self.person(caller.name, caller.role, caller.tie, in_project=caller.project_member)


@pytest.fixture(scope="module")
async def scene(
    temporal: EmbeddedTemporal, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        muster = await stack.enter_async_context(new_muster("sqlite", temporal, tmp_path_factory, request))
        place = await new_place(muster)
        await stack.enter_async_context(closing(place))
        await fill(place)
        nobody = await stack.enter_async_context(as_token(muster.base_url, None))
        hidden = select(Incident.id).where(Incident.visibility == Visibility.RESTRICTED)
        async with place.database.read(place.id) as session:
            found = of_incident(await place.dump(), (await session.scalars(hidden)).one())
        made = Scene(place, dataclasses.replace(place, fixed=place.fixed | found), every_way(muster.muster), [], nobody, stack)
        made.callers += [
            await made.person("outsider"),
            await made.person("member of the project", in_project=True),
            await made.person("participant", tie=Tie.PARTICIPANT),
            await made.person("admin", Role.ADMIN),
            await made.owner(),
            await made.owner(Scope.READ),
            await made.owner(Scope.REPORT),
        ]
        await place.settled()
        yield made


def decision(way: Way, caller: Caller, visibility: Visibility) -> Decision:
    """What the table and the policy say."""
    scope, rule = rules()[way.name]
    granted = grants(caller.scopes, scope)
    return rule(caller, visibility) if granted.allowed else granted


def test_the_table_has_every_route(scene: Scene) -> None:
    known = {way.name for way in scene.ways}
    said = rules().keys() | OPEN.keys()
    assert not known - said, f"Say who may call these, in MAY or OPEN of {__name__}: {sorted(known - said)}"
    assert not said - known, f"These are no routes any more: {sorted(said - known)}"
    assert LATER.keys() <= known
    assert {way.name for way in scene.ways if way.needs_somebody} == rules().keys(), (
        "Only what is in OPEN asks for no credential."
    )


async def test_who_may_not_is_told_so_and_changes_nothing(scene: Scene) -> None:
    await scene.public.settled()
    for way in scene.ways:
        if way.name in OPEN:
            continue
        asked = [(way.call(p.org.slug, {n: await p.thing(t) for n, t in way.things.items()}), v) for p, v in scene.looks(way)]
        async with nothing_changes(way.name, scene.public):
            for call, visibility in asked:
                for caller in scene.callers:
                    said = decision(way, caller, visibility)
                    if said.allowed:
                        continue
                    answer = await send(caller.program if way.is_api else caller.browser, call)
                    expected = 403 if said.visible else 404
                    what = f"{way.name} of a {visibility} incident as {caller.name}"
                    assert answer.status_code == expected, f"{what}: {answer.status_code} {answer.text[:500]}"
                    if way.is_api:
                        problem(answer, expected, said.code if said.visible else "not_found")
                require_sign_in(way, await send(scene.nobody, call), call, scene.public.org.slug)


def require_sign_in(way: Way, answer: httpx.Response, call: dict[str, Any], slug: str) -> None:
    """Who is nobody is asked to sign in; from a page, to come back to it."""
    if way.is_api:
        problem(answer, 401, "not_signed_in")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        return
    back = call["url"] + (f"?{urlencode(call['params'])}" if "params" in call else "")
    query = f"?{urlencode({'next': back})}" if way.method == "GET" else ""
    assert (answer.status_code, answer.headers.get("location")) == (303, f"/{slug}/sign-in{query}"), way.name


async def test_who_may_can(scene: Scene) -> None:
    for way in scene.ways:
        if way.name in OPEN:
            continue
        for place, visibility in scene.looks(way):
            for caller in scene.callers:
                if not decision(way, caller, visibility).allowed:
                    continue
                if "sign-in" in way.path:
                    await put_provider(place)
                changes_tie = way.path.endswith(("/join", "/leave", "/not-relevant"))
                who = await scene.anew(caller) if changes_tie else caller
                call = way.call(place.org.slug, {name: await place.thing(thing) for name, thing in way.things.items()})
                answer = await send(who.program if way.is_api else who.browser, call)
                expected = LATER.get(way.name, {200, 201, 204} if way.is_api else {200, 303})
                what = f"{way.name} of a {visibility} incident as {caller.name}"
                assert answer.status_code in expected, f"{what}: {answer.status_code} {answer.text[:500]}"
                assert "/sign-in?" not in answer.headers.get("location", "").replace("/settings/sign-in?", ""), what


async def test_who_is_nobody_gets_to_sign_in_and_no_further(scene: Scene) -> None:
    await put_provider(scene.public)
    for way in scene.ways:
        if way.name in OPEN:
            answer = await send(scene.nobody, way.call(scene.public.org.slug, {}))
            assert answer.status_code == OPEN[way.name], f"{way.name}: {answer.status_code} {answer.text[:500]}"


@pytest.mark.feature("O3")
@pytest.mark.parametrize("credential", ["Bearer x", "Bearer", "Basic {token}", "{token}"])
async def test_what_is_no_credential_is_none(scene: Scene, credential: str) -> None:
    headers = {"Authorization": credential.format(token=scene.public.org.token)}
    for way in scene.ways:
        if way.is_api:
            call = way.call(scene.public.org.slug, dict.fromkeys(way.things, "x"))
            code = "unknown_token" if credential == "Bearer x" else "not_signed_in"
            problem(await send(scene.nobody, call, **headers), 401, code)
