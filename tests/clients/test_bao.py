"""HashiCorp Vault's KV version 2 on the control listener, by the command of OpenBao, whose client is
HashiCorp's; and beside OpenBao's own server, which answers the same requests with the same answers."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from people import People
from server import Server, _die_with_parent


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One alone: the control listener is not the one that the others ask over HTTP and TLS."""
    server = Server(tmp_path_factory.mktemp("server"), tls=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def people(server):
    return People(server)


@pytest.fixture
def owner(people):
    return people.owner()


@pytest.fixture
def bao(run, server, owner):
    def bao(*arguments, holder=owner, fails=False, **environment):
        token = {"BAO_TOKEN": holder.token} if holder else {}
        environment = {"BAO_ADDR": server.control} | token | environment
        said = run("bao", *arguments, fails=fails, environment=environment)
        return said if fails else said.decode()

    return bao


def shown(bao, *arguments):
    return json.loads(bao(*arguments[:2], "-format=json", *arguments[2:]))["data"]


def test_secrets_are_put_got_listed_and_patched(bao):
    bao("kv", "put", "-mount=secret", "app/db", "user=u", "password=one")
    bao("kv", "put", "-cas=1", "secret/app/db", "user=u", "password=two")
    assert bao("kv", "get", "-field=password", "secret/app/db") == "two"
    assert bao("kv", "get", "-field=password", "-version=1", "secret/app/db") == "one"
    said = bao("kv", "put", "-cas=0", "secret/app/db", "a=b", fails=True)
    assert "check-and-set parameter did not match the current version" in said
    bao("kv", "patch", "secret/app/db", "more=1")
    bao("kv", "patch", "-method=rw", "secret/app/db", "more=2")
    bao("kv", "patch", "-remove-data=user", "secret/app/db")
    data = shown(bao, "kv", "get", "secret/app/db")
    assert data["data"] == {"password": "two", "more": "2"}
    assert data["metadata"]["version"] == 5
    assert "app/" in bao("kv", "list", "secret/").split()
    assert "db" in bao("kv", "list", "-mount=secret", "app").split()
    assert "No value found" in bao("kv", "list", "secret/none", fails=True)
    assert "No value found" in bao("kv", "get", "secret/none", fails=True)


def test_versions_are_deleted_brought_back_rolled_back_and_destroyed(bao):
    for value in ["one", "two", "three"]:
        bao("kv", "put", "secret/a", f"value={value}")
    bao("kv", "delete", "secret/a")
    assert "deletion_time" in bao("kv", "get", "secret/a")
    bao("kv", "undelete", "-versions=3", "secret/a")
    assert bao("kv", "get", "-field=value", "secret/a") == "three"
    bao("kv", "delete", "-versions=2,3", "secret/a")
    bao("kv", "rollback", "-version=1", "secret/a")
    assert bao("kv", "get", "-field=value", "secret/a") == "one"
    bao("kv", "destroy", "-versions=1", "secret/a")
    metadata = json.loads(bao("kv", "metadata", "get", "-format=json", "secret/a"))["data"]
    assert metadata["current_version"] == 4
    states = {number: v["destroyed"] for number, v in metadata["versions"].items()}
    assert states == {"1": True, "2": False, "3": False, "4": False}
    bao("kv", "metadata", "delete", "secret/a")
    assert "No value found" in bao("kv", "metadata", "get", "secret/a", fails=True)


def test_metadata_and_the_mount(bao):
    settings = ["-max-versions=5", "-delete-version-after=3h25m19s", "-custom-metadata=a=b"]
    bao("kv", "metadata", "put", *settings, "secret/a")
    bao("kv", "metadata", "patch", "-custom-metadata=c=d", "secret/a")
    bao("kv", "metadata", "patch", "-remove-custom-metadata=a", "secret/a")
    metadata = json.loads(bao("kv", "metadata", "get", "-format=json", "secret/a"))["data"]
    assert metadata["custom_metadata"] == {"c": "d"}
    assert metadata["delete_version_after"] == "3h25m19s"
    assert metadata["max_versions"] == 5
    bao("write", "secret/config", "max_versions=4", "cas_required=true")
    assert bao("read", "-field=max_versions", "secret/config") == "4"
    said = bao("kv", "put", "secret/new", "a=b", fails=True)
    assert "check-and-set parameter required for this call" in said
    bao("kv", "put", "-cas=0", "secret/new", "a=b")


def test_the_server_and_the_token_are_looked_at(bao, owner, people):
    assert re.search(r"^Sealed +false$", bao("status", holder=None), re.MULTILINE)
    assert "secret/" in bao("secrets", "list")
    assert shown(bao, "token", "lookup")["meta"]["principal"] == owner.principal
    assert "lease is not renewable" in bao("token", "renew", fails=True)
    assert "unsupported operation: tokens are made" in bao("token", "create", fails=True)
    assert bao("token", "capabilities", "secret/undelete/a").split() == ["update"]
    token = people.token(owner)
    bao("token", "revoke", "-self", holder=token)
    assert "permission denied" in bao("token", "lookup", holder=token, fails=True)
    said = bao("kv", "get", "-wrap-ttl=60", "secret/any", fails=True)
    assert "response wrapping is not offered" in said


def test_an_agent_logs_in(bao, owner, people):
    bao("kv", "put", "secret/red/a", "value=r")
    bao("kv", "put", "secret/blue/a", "value=b")
    agent = people.agent(owner, ["vault:reveal"], ["secret:red/*"])
    login = ["write", "-field=token", "auth/approle/login"]
    token = bao(*login, f"role_id={agent.principal}", f"secret_id={agent.token}", holder=None)
    as_agent = {"holder": None, "BAO_TOKEN": token}
    assert bao("kv", "get", "-field=value", "secret/red/a", **as_agent) == "r"
    for refused in [("get", "secret/blue/a"), ("list", "secret/"), ("list", "secret/red")]:
        assert "permission denied" in bao("kv", *refused, fails=True, **as_agent)
    said = bao(*login, f"role_id={agent.principal}", "secret_id=wrong", holder=None, fails=True)
    assert "invalid role or secret ID" in said


def test_a_namespace_is_the_tokens_own_organization(bao, owner, people):
    for own in [owner.slug, owner.organization]:
        bao("kv", "put", "secret/a", "value=1", BAO_NAMESPACE=own)
    for other in ["root", "nobody", people.owner().slug, f"{owner.slug}/team"]:
        said = bao("kv", "get", "secret/a", fails=True, BAO_NAMESPACE=other)
        assert "permission denied" in said


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """OpenBao's own server, in memory, with its KV version 2 mounted at the same place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
    command = ["server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address={address}"]
    process = subprocess.Popen(
        [Path(sys.executable).parent / "bao", *command, "-dev-no-store-token"],
        env={"HOME": str(tmp_path_factory.mktemp("reference"))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,
    )
    while True:
        assert process.poll() is None, "the reference has ended"
        try:
            # Its mount is made anew for a while after it answers.
            if ask(f"http://{address}", "root", "GET", "secret/data/nothing")[0] == 404:
                break
        except urllib.error.URLError:
            pass
        time.sleep(0.05)
    yield f"http://{address}"
    process.terminate()
    process.wait()


def ask(base, token, method, path, body=None):
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    request = urllib.request.Request(
        f"{base}/v1/{path}",
        method=method,
        headers={"X-Vault-Token": token, "Content-Type": kind},
        data=None if body is None else json.dumps(body).encode(),
    )
    try:
        with urllib.request.urlopen(request) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def comparable(answer):
    """Without what names the request, when it was, what only one of the two knows, and the words of
    what was wrong with a request."""

    def plain(value):
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items() if name not in UNKNOWN}
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
            return "a time"
        return value

    status, body = answer
    return (status, None) if status in {204, 400, 405, 415} else (status, plain(body))


UNKNOWN = {"request_id", "mount_type", "current_metadata_version", "metadata_cas_required"}

LIVES = {
    "versions": [
        ("GET", "data/{}"),
        ("POST", "data/{}", {"data": {"x": 1, "y": "z"}}),
        ("PUT", "data/{}", {"data": {"x": 2}, "options": {"cas": 1}}),
        ("POST", "data/{}", {"data": {"x": 3}, "options": {"cas": 1}}),
        ("POST", "data/{}", {"data": {"x": 3}, "options": {"cas": 0}}),
        ("POST", "data/{}", {"data": {"x": 3}, "options": {"cas": "x"}}),
        ("POST", "data/{}", {"data": "x"}),
        ("POST", "data/{}", {}),
        ("POST", "data/{}", []),
        ("GET", "data/{}"),
        ("GET", "data/{}?version=1"),
        ("GET", "data/{}?version=0"),
        ("GET", "data/{}?version=9"),
        ("GET", "data/{}?version=x"),
        ("DELETE", "data/{}"),
        ("GET", "data/{}"),
        ("GET", "subkeys/{}"),
        ("GET", "data/{}?version=1"),
        ("POST", "data/{}", {"data": {"x": 3}, "options": {"cas": 0}}),
        ("POST", "data/{}", {"data": {"x": 3}, "options": {"cas": 2}}),
        ("POST", "delete/{}", {"versions": ["1", 2]}),
        ("GET", "data/{}?version=1"),
        ("POST", "undelete/{}", {"versions": "1,2"}),
        ("GET", "data/{}?version=2"),
        ("PUT", "destroy/{}", {"versions": [1, 9]}),
        ("GET", "data/{}?version=1"),
        ("POST", "undelete/{}", {"versions": [1]}),
        ("GET", "metadata/{}"),
        ("POST", "delete/{}", {}),
        ("POST", "undelete/{}", {"versions": []}),
        ("GET", "delete/{}"),
        ("LIST", "data/{}"),
        ("DELETE", "metadata/{}"),
        ("GET", "metadata/{}"),
        ("POST", "data/{}", {"data": {}, "options": {"cas": 0}}),
        ("GET", "data/{}"),
    ],
    "patches": [
        ("PATCH", "data/{}", {"data": {"a": 1}}),
        ("POST", "data/{}", {"data": {"a": 1, "b": {"c": 1, "d": 2}, "e": [1]}}),
        ("PATCH", "data/{}", {"data": {"a": None, "b": {"c": None, "f": {"g": 1}}, "h": 2}}),
        ("GET", "data/{}"),
        ("PATCH", "data/{}", {"data": {"a": 1}, "options": {"cas": 1}}),
        ("PATCH", "data/{}", {"data": {"a": 1}, "options": {"cas": 2}}),
        ("PATCH", "data/{}", {"options": {"cas": 3}}),
        ("GET", "subkeys/{}"),
        ("GET", "subkeys/{}?depth=1"),
        ("GET", "subkeys/{}?depth=2&version=1"),
        ("DELETE", "data/{}"),
        ("PATCH", "data/{}", {"data": {"a": 1}}),
    ],
    "metadata": [
        ("PATCH", "metadata/{}", {"max_versions": 1}),
        ("POST", "metadata/{}", {"max_versions": 2, "custom_metadata": {"k": "v"}}),
        ("GET", "metadata/{}"),
        ("GET", "data/{}"),
        ("POST", "metadata/{}", {"custom_metadata": {"k": ""}}),
        ("POST", "metadata/{}", {"delete_version_after": "soon"}),
        ("POST", "metadata/{}", {"cas_required": "yes"}),
        ("POST", "metadata/{}", {}),
        ("POST", "data/{}", {"data": {"a": 1}}),
        ("POST", "data/{}", {"data": {"a": 2}}),
        ("POST", "data/{}", {"data": {"a": 3}}),
        ("GET", "data/{}?version=1"),
        ("GET", "metadata/{}"),
        ("PATCH", "metadata/{}", {"custom_metadata": {"k": None, "l": "w"}}),
        ("POST", "metadata/{}", {"delete_version_after": "1h30m", "cas_required": True}),
        ("POST", "data/{}", {"data": {"a": 4}}),
        ("POST", "data/{}", {"data": {"a": 4}, "options": {"cas": 3}}),
        ("PATCH", "metadata/{}", {"max_versions": None, "cas_required": None}),
        ("GET", "metadata/{}"),
        ("GET", "data/{}"),
        ("POST", "metadata/{}", {"custom_metadata": {}}),
        ("GET", "metadata/{}"),
    ],
    "what is left": [
        ("POST", "data/{}", {"data": {"a": 1}}),
        ("POST", "metadata/{}", {"custom_metadata": {"k": "v"}}),
        ("POST", "data/{}", {"data": {"a": 2}}),
        ("DELETE", "data/{}"),
        ("GET", "data/{}"),
        ("GET", "subkeys/{}"),
        ("PATCH", "data/{}", {"data": {"b": 1}}),
        ("POST", "destroy/{}", {"versions": [1]}),
        ("GET", "data/{}?version=1"),
        ("GET", "subkeys/{}?version=1"),
    ],
    "listings": [
        ("LIST", "metadata/{}"),
        ("POST", "data/{}/b", {"data": {}}),
        ("POST", "data/{}/a", {"data": {}}),
        ("POST", "data/{}/a/x", {"data": {}}),
        ("POST", "data/{}/a/y/z", {"data": {}}),
        ("LIST", "metadata/{}"),
        ("LIST", "metadata/{}/"),
        ("GET", "metadata/{}/?list=true"),
        ("LIST", "metadata/{}/a"),
        ("LIST", "metadata/{}/b"),
        ("DELETE", "data/{}/b"),
        ("LIST", "metadata/{}"),
        ("DELETE", "metadata/{}/b"),
        ("LIST", "metadata/{}"),
    ],
    "absent": [
        ("DELETE", "data/{}"),
        ("POST", "delete/{}", {"versions": [1]}),
        ("POST", "undelete/{}", {"versions": [1]}),
        ("POST", "destroy/{}", {"versions": [1]}),
        ("DELETE", "metadata/{}"),
        ("GET", "subkeys/{}"),
        ("GET", "metadata/{}"),
    ],
}


def test_capabilities_and_renewals_are_those_of_the_reference(server, people, owner, reference):
    ours = people.agent(owner, ["vault:reveal", "vault:list"], ["secret:red/*"]).token
    policy = 'path "secret/data/red/*" { capabilities = ["read"] }\n'
    policy += 'path "secret/subkeys/red/*" { capabilities = ["read"] }\n'
    policy += 'path "secret/metadata/red/*" { capabilities = ["list"] }\n'
    ask(reference, "root", "PUT", "sys/policies/acl/red", {"policy": policy})
    wish = {"policies": ["red"], "renewable": False, "ttl": "1h"}
    theirs = ask(reference, "root", "POST", "auth/token/create", wish)[1]["auth"]["client_token"]
    for method, path, *body in [
        ("POST", "sys/capabilities-self", {"path": "secret/data/red/a"}),
        ("PUT", "sys/capabilities-self", {"paths": ["secret/subkeys/red/a"]}),
        ("POST", "sys/capabilities-self", {"paths": "secret/metadata/red/a,secret/data/blue/a"}),
        ("POST", "sys/capabilities-self", {"path": "secret/config", "paths": ["secret/data/a"]}),
        ("POST", "sys/capabilities-self", {"paths": ["auth/token/lookup-self", "/sys/raw"]}),
        ("POST", "sys/capabilities-self", {"paths": ["sys/capabilities-self", "request_id"]}),
        ("POST", "sys/capabilities-self", {"paths": ["secret/data/red/a%2fb"]}),
        ("POST", "sys/capabilities-self", {"paths": [""]}),
        ("POST", "sys/capabilities-self", {}),
        ("POST", "auth/token/renew-self", {"increment": "1h"}),
        ("PUT", "auth/token/renew-self", {}),
    ]:
        answers = [
            ask(base, token, method, path, *body)
            for base, token in [(server.control, ours), (reference, theirs)]
        ]
        assert comparable(answers[0]) == comparable(answers[1]), (path, body)


@pytest.mark.parametrize("life", LIVES)
def test_answers_are_those_of_the_reference(server, owner, reference, life):
    for method, path, *body in LIVES[life]:
        path = "secret/" + path.format(life.replace(" ", "-"))
        ours = ask(server.control, owner.token, method, path, *body)
        theirs = ask(reference, "root", method, path, *body)
        if method == "PATCH" and theirs == (404, None):
            # There it says nothing at all of what is not there.
            theirs = (404, {"errors": []})
        assert comparable(ours) == comparable(theirs), (method, path, body)
