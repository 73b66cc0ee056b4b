"""Schemathesis asks `/api/v1` for everything that its OpenAPI document tells of, and more: what comes
back is what the document says, and never a fault of the server."""

import json

import pytest

from server import OPERATOR_TOKEN, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One alone: `/api/v1` is not at the door that the others ask over HTTP and TLS."""
    server = Server(tmp_path_factory.mktemp("server"), tls=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def owner(server):
    """The session of an organization that has one of everything, and where that is."""
    session = server.sign_up("owner@example.com")
    org, token = session["organization"], session["token"]

    def make(path, body):
        return server.ask(token, "POST", f"/organizations/{org}/{path}", body)

    agent = make("agents", {"name": "Robot"})["id"]
    grant = {
        "subject": {"agent": agent},
        "actions": ["s3:GetObject"],
        "resources": ["drive:docs/*"],
    }
    places = {
        "org": org,
        "agent": agent,
        "principal": agent,
        "member": session["principal"],
        "team": make("teams", {"name": "Crew"})["id"],
        "grant": make("grants", grant)["id"],
        "kind": "skill",
        "name": "walk",
    }
    return token, places


def conforms(run, server, tmp_path, token, places, *arguments):
    settings = tmp_path / "schemathesis.toml"
    lines = [f'"path.{name}" = {json.dumps(place)}' for name, place in places.items()]
    settings.write_text("\n".join(["[parameters]", *lines, ""]))
    run(
        "schemathesis",
        "--config-file",
        settings,
        "run",
        f"{server.control}/api/v1/openapi.json",
        "--url",
        server.control,
        "--header",
        f"Authorization: Bearer {token}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=20",
        "--generation-deterministic",
        "--no-shrink",
        "--continue-on-failure",
        # What a form cannot say is refused beyond it: whether an address is one, a last owner.
        "--exclude-checks=positive_data_acceptance",
        "--no-color",
        *arguments,
    )


def test_an_owner_is_answered_as_the_document_says(run, server, tmp_path, owner):
    token, places = owner
    # These end the session or the organization that all others need: they come last.
    last = ["LogOut", "ChangeAccount", "DeleteOrganization", "RemoveMember", "TransferOwnership"]
    others = [argument for id in last for argument in ("--exclude-operation-id", id)]
    conforms(run, server, tmp_path, token, places, *others)
    for id in reversed(last):
        conforms(run, server, tmp_path, token, places, "--include-operation-id", id)


def test_the_operator_is_answered_as_the_document_says(run, server, tmp_path):
    server.create_organization("schema")
    conforms(run, server, tmp_path, OPERATOR_TOKEN, {"org": "schema"})


def test_nobody_is_answered_as_the_document_says(run, server, tmp_path):
    # Without a credential no method is told from another.
    known = "--exclude-checks=positive_data_acceptance,unsupported_method"
    conforms(run, server, tmp_path, "nothing", {"org": "schema"}, known)
