"""The pages, a module each."""

from services.web.pages import (
    api_docs,
    contacts,
    deliveries,
    edit,
    inbox,
    incident,
    incidents,
    receipt,
    report,
    sign_in,
    transitions,
    why,
)

# An organization can have any name, so what is fixed comes before it.
ROUTERS = [
    api_docs.router,
    sign_in.router,
    incidents.router,
    report.router,
    report.reports,
    receipt.router,
    edit.router,
    edit.commands,
    transitions.router,
    transitions.commands,
    why.router,
    incident.router,
    incident.commands,
    contacts.router,
    inbox.router,
    deliveries.router,
    deliveries.commands,
]
"""Every page, in the order in which addresses are matched."""
