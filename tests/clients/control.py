"""What the suites need of `/api/v1`: people with organizations of their own, agents, grants and
tokens."""

import itertools
import json
import urllib.request
from dataclasses import dataclass

PASSWORD = "correct horse battery"
_numbers = itertools.count()


@dataclass(frozen=True)
class Holder:
    """Somebody with a token, in one organization."""

    token: str
    organization: str
    slug: str
    principal: str


class Control:
    """The API at an address, whose operator shows `token`."""

    def __init__(self, address, token):
        self.url = f"http://{address}/api/v1"
        self.operator = token

    def ask(self, token, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def owner(self, name):
        """Makes a person, and logs in to its personal organization."""
        email = f"{name}-{next(_numbers)}@example.com"
        account = {"email": email, "password": PASSWORD, "name": name}
        self.ask(self.operator, "POST", "/operator/accounts", account)
        session = self.ask(None, "POST", "/sessions", {"email": email, "password": PASSWORD})
        return Holder(
            session["token"], session["organization"], session["slug"], session["principal"]
        )

    def agent(self, owner, actions, resources):
        """Makes an agent with a grant and an API token."""
        organization = f"/organizations/{owner.organization}"
        agent = self.ask(owner.token, "POST", f"{organization}/agents", {"name": "agent"})["id"]
        grant = {"subject": {"agent": agent}, "actions": actions, "resources": resources}
        self.ask(owner.token, "POST", f"{organization}/grants", grant)
        credentials = f"{organization}/agents/{agent}/credentials"
        made = self.ask(owner.token, "POST", credentials, {"kind": "api-token"})
        return Holder(made["token"], owner.organization, owner.slug, agent)

    def token(self, holder, **asked):
        """Makes an API token of the same principal."""
        credentials = f"/organizations/{holder.organization}/self/credentials"
        made = self.ask(holder.token, "POST", credentials, {"kind": "api-token"} | asked)
        return Holder(made["token"], holder.organization, holder.slug, holder.principal)
