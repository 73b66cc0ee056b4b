"""People with organizations of their own, agents, and tokens of either, made over `/api/v1`."""

import itertools
from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """Somebody with a token, in one organization."""

    token: str
    organization: str
    slug: str
    principal: str


class People:
    """Makes them on a server."""

    def __init__(self, server):
        self.ask = server.ask
        self.sign_up = server.sign_up
        self.names = (f"somebody-{number}@example.com" for number in itertools.count())

    def owner(self):
        made = self.sign_up(next(self.names))
        return Holder(made["token"], made["organization"], made["slug"], made["principal"])

    def agent(self, owner, actions, resources):
        """With a grant and an API token."""
        organization = f"/organizations/{owner.organization}"
        agent = self.ask(owner.token, "POST", f"{organization}/agents", {"name": "agent"})["id"]
        grant = {"subject": {"agent": agent}, "actions": actions, "resources": resources}
        self.ask(owner.token, "POST", f"{organization}/grants", grant)
        credentials = f"{organization}/agents/{agent}/credentials"
        made = self.ask(owner.token, "POST", credentials, {"kind": "api-token"})
        return Holder(made["token"], owner.organization, owner.slug, agent)

    def token(self, holder):
        """An API token of the same principal."""
        credentials = f"/organizations/{holder.organization}/self/credentials"
        made = self.ask(holder.token, "POST", credentials, {"kind": "api-token"})
        return Holder(made["token"], holder.organization, holder.slug, holder.principal)
