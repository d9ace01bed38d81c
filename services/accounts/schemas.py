"""What the accounts API shows."""

from pydantic import BaseModel

from workflows.domain.policy import Role


class OrganizationView(BaseModel):
    """An organization."""

    id: str
    slug: str
    name: str


class IndividualRef(BaseModel):
    """A person, as others refer to them."""

    id: str
    name: str


class Me(BaseModel):
    """Who is asking."""

    account: str
    individual: IndividualRef
    role: Role
    organization: OrganizationView


class ProjectView(BaseModel):
    """A project."""

    id: str
    name: str
    is_default: bool


class SettingView(BaseModel):
    """An entry of one of the organization's lists."""

    id: str
    name: str
    rank: int
    is_default: bool


class Choices(BaseModel):
    """Everything a report picks from."""

    projects: list[ProjectView]
    types: list[SettingView]
    severities: list[SettingView]
    priorities: list[SettingView]
