"""HashiCorp Vault's KV version 2 on the control listener, by hvac as it is."""

import base64
import json

import boto3
import hvac
import pytest
from hvac import exceptions

from people import Holder, People
from server import REGION, Server


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


@pytest.fixture(scope="module")
def owner(people):
    return people.owner()


@pytest.fixture(scope="module")
def connect(server):
    def connect(holder, **settings):
        token = holder.token if isinstance(holder, Holder) else holder
        return hvac.Client(url=server.control, token=token, **settings)

    return connect


@pytest.fixture(scope="module")
def client(connect, owner):
    return connect(owner)


@pytest.fixture
def kv(client):
    return client.secrets.kv.v2


@pytest.fixture
def path(request):
    return f"tests/{request.node.name}"


def read(kv, path, **asked):
    return kv.read_secret_version(path, raise_on_deleted_version=True, **asked)["data"]


def test_a_secret_is_written_read_and_written_again(kv, path):
    made = kv.create_or_update_secret(path, {"password": "one"})["data"]
    assert (made["version"], made["destroyed"], made["deletion_time"]) == (1, False, "")
    assert kv.create_or_update_secret(path, {"password": "two"})["data"]["version"] == 2
    current = read(kv, path)
    assert current["data"] == {"password": "two"}
    assert current["metadata"]["version"] == 2
    assert read(kv, path, version=1)["data"] == {"password": "one"}
    with pytest.raises(exceptions.InvalidPath):
        read(kv, path, version=3)
    with pytest.raises(exceptions.InvalidPath) as missing:
        read(kv, f"{path}/nowhere")
    assert missing.value.errors == []


def test_check_and_set(kv, path):
    for cas in [1, 7]:
        with pytest.raises(exceptions.InvalidRequest) as stale:
            kv.create_or_update_secret(path, {"a": 1}, cas=cas)
        message = "check-and-set parameter did not match the current version"
        assert stale.value.errors == [message]
    kv.create_or_update_secret(path, {"a": 1}, cas=0)
    with pytest.raises(exceptions.InvalidRequest):
        kv.create_or_update_secret(path, {"a": 2}, cas=0)
    kv.create_or_update_secret(path, {"a": 2}, cas=1)
    kv.update_metadata(path, cas_required=True)
    with pytest.raises(exceptions.InvalidRequest) as unchecked:
        kv.create_or_update_secret(path, {"a": 3})
    assert unchecked.value.errors == ["check-and-set parameter required for this call"]
    assert read(kv, path)["data"] == {"a": 2}


def test_patch(kv, client, path):
    with pytest.raises(exceptions.InvalidPath):
        kv.patch(path, {"a": 1})
    kv.create_or_update_secret(path, {"kept": "x", "changed": 1, "gone": 2})
    kv.patch(path, {"changed": 2})
    assert read(kv, path)["data"] == {"kept": "x", "changed": 2, "gone": 2}
    # As the vault command patches.
    patched = client._adapter.request(
        "patch",
        f"/v1/secret/data/{path}",
        headers={"Content-Type": "application/merge-patch+json"},
        data=json.dumps({"data": {"gone": None, "new": 3}, "options": {"cas": 2}}),
    )
    assert patched["data"]["version"] == 3
    assert read(kv, path)["data"] == {"kept": "x", "changed": 2, "new": 3}


def test_versions_are_deleted_brought_back_and_destroyed(kv, path):
    for value in range(3):
        kv.create_or_update_secret(path, {"value": value})
    kv.delete_latest_version_of_secret(path)
    with pytest.raises(exceptions.InvalidPath):
        read(kv, path)
    deleted = kv.read_secret_version(path, raise_on_deleted_version=False)["data"]
    assert deleted["data"] is None
    assert deleted["metadata"]["version"] == 3
    assert deleted["metadata"]["deletion_time"]
    kv.delete_secret_versions(path, [1, 2])
    kv.undelete_secret_versions(path, [2, 3])
    assert read(kv, path)["data"] == {"value": 2}
    assert read(kv, path, version=2)["data"] == {"value": 1}
    with pytest.raises(exceptions.InvalidPath):
        read(kv, path, version=1)
    kv.destroy_secret_versions(path, [2])
    kv.undelete_secret_versions(path, [1, 2])
    with pytest.raises(exceptions.InvalidPath) as destroyed:
        read(kv, path, version=2)
    assert destroyed.value.json["data"]["data"] is None
    assert destroyed.value.json["data"]["metadata"]["destroyed"] is True
    states = kv.read_secret_metadata(path)["data"]["versions"]
    assert [states[number]["destroyed"] for number in ["1", "2", "3"]] == [False, True, False]


def test_metadata(kv, path):
    with pytest.raises(exceptions.InvalidPath):
        kv.read_secret_metadata(path)
    kv.update_metadata(
        path,
        max_versions=2,
        delete_version_after="3h25m19s",
        custom_metadata={"managed-by": "tests"},
    )
    for value in range(4):
        kv.create_or_update_secret(path, {"value": value})
    metadata = kv.read_secret_metadata(path)["data"]
    assert metadata["max_versions"] == 2
    assert metadata["delete_version_after"] == "3h25m19s"
    assert metadata["custom_metadata"] == {"managed-by": "tests"}
    assert metadata["current_version"] == 4
    assert metadata["oldest_version"] == 3
    assert sorted(metadata["versions"]) == ["3", "4"]
    assert metadata["versions"]["4"]["deletion_time"] > metadata["versions"]["4"]["created_time"]
    kv.delete_metadata_and_all_versions(path)
    for ask in [kv.read_secret_metadata, lambda path: read(kv, path)]:
        with pytest.raises(exceptions.InvalidPath):
            ask(path)
    assert kv.create_or_update_secret(path, {"new": 1}, cas=0)["data"]["version"] == 1


def test_the_mount_is_configured(connect, people):
    kv = connect(people.owner()).secrets.kv.v2
    unsaid = {"cas_required": False, "delete_version_after": "0s", "max_versions": 0}
    assert kv.read_configuration()["data"] == unsaid
    kv.configure(max_versions=2, cas_required=True)
    said = {"cas_required": True, "delete_version_after": "0s", "max_versions": 2}
    assert kv.read_configuration()["data"] == said
    with pytest.raises(exceptions.InvalidRequest):
        kv.create_or_update_secret("any", {"a": 1})
    for cas in range(4):
        kv.create_or_update_secret("any", {"a": cas}, cas=cas)
    assert sorted(kv.read_secret_metadata("any")["data"]["versions"]) == ["3", "4"]


@pytest.mark.parametrize("strict_http", [False, True])
def test_list(connect, owner, path, strict_http):
    kv = connect(owner, strict_http=strict_http).secrets.kv.v2
    with pytest.raises(exceptions.InvalidPath):
        kv.list_secrets(path)
    for name in ["b", "a", "a/x", "a/y/z"]:
        kv.create_or_update_secret(f"{path}/{name}", {"a": 1})
    assert kv.list_secrets(path)["data"]["keys"] == ["a", "a/", "b"]
    assert kv.list_secrets(f"{path}/a/")["data"]["keys"] == ["x", "y/"]
    assert "tests/" in kv.list_secrets("")["data"]["keys"]


VALUES = {
    "bytes": base64.b64encode(bytes(range(256))).decode(),
    "control": "\x00\x01\x1f\x7f",
    "lines": "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n",
    "quotes": '"\\\'`${}<>&',
    "unicode": "ключ 日本語 🦀 \u202e",
    "numbers": [0, -1, 2**53 + 1, 10**30, 1.5],
    "nested": {"a": {"b": [None, True, {"c": ""}]}},
    "": "an empty name",
}


def test_values_come_back_as_they_were(kv, path):
    kv.create_or_update_secret(path, VALUES)
    assert read(kv, path)["data"] == VALUES


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "with space",
        "ümlaut/日本語/🦀",
        "a+b%20c%2Fd",
        "dots.and-dashes_~",
        "a&b=c;d,e!(f)'g@h$i",
        "hash#tag",
        "deep/" * 80 + "x",
    ],
)
def test_paths_of_every_kind(kv, name):
    path = f"paths/{name}"
    kv.create_or_update_secret(path, {"path": path})
    assert read(kv, path)["data"] == {"path": path}
    folder, _, last = path.rpartition("/")
    assert last in kv.list_secrets(folder)["data"]["keys"]
    kv.delete_metadata_and_all_versions(path)
    with pytest.raises(exceptions.InvalidPath):
        kv.read_secret_metadata(path)


@pytest.mark.parametrize("name", ["star*", "mark?", "back\\slash", "new\nline", "x" * 600])
def test_paths_that_are_none(kv, name):
    with pytest.raises(exceptions.InvalidRequest):
        kv.create_or_update_secret(f"paths/{name}", {"a": 1})


def test_a_value_has_64_kib(kv, path):
    overhead = len(json.dumps({"a": ""}))
    kv.create_or_update_secret(path, {"a": "x" * (65_536 - overhead)})
    assert len(read(kv, path)["data"]["a"]) == 65_536 - overhead
    with pytest.raises(exceptions.InvalidRequest):
        kv.create_or_update_secret(path, {"a": "x" * (65_537 - overhead)})
    assert read(kv, path)["metadata"]["version"] == 1


def test_tokens_are_shown_and_revoked_and_neither_made_nor_renewed(connect, people, owner):
    token = people.token(owner)
    client = connect(token)
    assert client.is_authenticated()
    shown = client.auth.token.lookup_self()["data"]
    assert shown["type"] == "service"
    assert shown["id"] == token.token
    assert shown["meta"] == {"organization": owner.organization, "principal": owner.principal}
    assert (shown["ttl"], shown["expire_time"]) == (0, None)
    assert shown["renewable"] is False
    with pytest.raises(exceptions.InvalidRequest) as fixed:
        client.auth.token.renew_self(increment="1h")
    assert fixed.value.errors == ["lease is not renewable"]
    with pytest.raises(exceptions.UnexpectedError) as elsewhere:
        client.auth.token.create(ttl="1h")
    assert elsewhere.value.errors[0].startswith("unsupported operation: tokens are made over")
    assert client.is_authenticated()
    client.auth.token.revoke_self()
    assert not connect(token).is_authenticated()
    with pytest.raises(exceptions.Forbidden):
        connect(token).secrets.kv.v2.read_secret_metadata("tests/any")
    for wrong in ["root", "", token.token[:-1]]:
        assert not connect(wrong).is_authenticated()


def test_no_token_is_reached_by_its_accessor(connect, people, owner):
    eve = connect(people.owner())
    client = connect(people.token(owner))
    accessor = client.auth.token.lookup_self()["data"]["accessor"]
    for caller in [eve, client]:
        for ask in ["lookup_accessor", "revoke_accessor", "renew_accessor"]:
            with pytest.raises(exceptions.InvalidPath):
                getattr(caller.auth.token, ask)(accessor)
    assert client.is_authenticated()


def test_an_agent_logs_in(connect, people, owner, client):
    client.secrets.kv.v2.create_or_update_secret("agents/own", {"a": 1})
    client.secrets.kv.v2.create_or_update_secret("others/secret", {"a": 1})
    agent = people.agent(owner, ["vault:reveal", "vault:list"], ["secret:agents/*"])
    caller = connect(None)
    auth = caller.auth.approle.login(role_id=agent.principal, secret_id=agent.token)["auth"]
    assert caller.token == auth["client_token"] != agent.token
    assert auth["lease_duration"] == 3600
    kv = caller.secrets.kv.v2
    assert read(kv, "agents/own")["data"] == {"a": 1}
    assert kv.list_secrets("agents")["data"]["keys"] == ["own"]
    for refused in [
        lambda: read(kv, "others/secret"),
        lambda: kv.list_secrets(""),
        lambda: kv.list_secrets("others"),
        lambda: kv.create_or_update_secret("agents/own", {"a": 2}),
    ]:
        with pytest.raises(exceptions.Forbidden):
            refused()
    for role, secret in [
        (agent.principal, "bkt_BKNOBODYKNOWSTHISKEY_SECRET"),
        (agent.principal, caller.token),
        (owner.principal, owner.token),
        ("00000000-0000-0000-0000-000000000000", agent.token),
    ]:
        with pytest.raises(exceptions.InvalidRequest) as wrong:
            connect(None).auth.approle.login(role_id=role, secret_id=secret)
        assert wrong.value.errors == ["invalid role or secret ID"]


def test_capabilities(connect, people, owner, client):
    paths = ["secret/data/caps/a", "secret/metadata/caps/", "secret/config", "sys/raw"]
    theirs = client.sys.get_capabilities(paths=paths)["data"]
    assert theirs["secret/data/caps/a"] == ["create", "delete", "patch", "read", "update"]
    assert theirs["secret/config"] == ["read", "update"]
    assert theirs["sys/raw"] == ["deny"]
    agent = people.agent(owner, ["vault:reveal"], ["secret:caps/*"])
    caps = connect(agent).sys.get_capabilities(paths=paths)["data"]
    assert [caps[path] for path in paths] == [["read"], ["deny"], ["deny"], ["deny"]]


def test_the_server_says_that_it_works(connect, client):
    anybody = connect(None)
    assert anybody.sys.read_health_status().status_code == 200
    health = anybody.sys.read_health_status(method="GET")
    assert (health["initialized"], health["sealed"], health["standby"]) == (True, False, False)
    assert anybody.sys.read_seal_status()["sealed"] is False
    assert anybody.sys.is_initialized() and not anybody.sys.is_sealed()
    mounts = client.sys.list_mounted_secrets_engines()["data"]
    assert mounts["secret/"]["options"] == {"version": "2"}
    with pytest.raises(exceptions.Forbidden):
        anybody.sys.list_mounted_secrets_engines()
    # As the vault command looks before it works.
    mount = client._adapter.get("/v1/sys/internal/ui/mounts/secret/any/path")["data"]
    assert (mount["path"], mount["options"]) == ("secret/", {"version": "2"})


def test_a_namespace_is_the_tokens_own_organization(connect, people, owner, client):
    eve = people.owner()
    client.secrets.kv.v2.create_or_update_secret("namespaced", {"a": 1})
    for own in [owner.slug, owner.organization, f"{owner.slug}/"]:
        kv = connect(owner, namespace=own).secrets.kv.v2
        assert read(kv, "namespaced")["data"] == {"a": 1}
    for other in [eve.slug, eve.organization, "root", "nobody", f"{owner.slug}/team"]:
        for holder in [owner, "bkt_BKNOBODYKNOWSTHISKEY_SECRET"]:
            with pytest.raises(exceptions.Forbidden) as refused:
                read(connect(holder, namespace=other).secrets.kv.v2, "namespaced")
            assert refused.value.errors == ["permission denied"]


def test_another_organization_sees_nothing(connect, people, kv, path):
    kv.create_or_update_secret(path, {"password": "hunter2"})
    eve = connect(people.owner()).secrets.kv.v2
    for ask in [
        lambda path: read(eve, path),
        lambda path: read(eve, path, version=1),
        eve.read_secret_metadata,
        lambda path: eve.list_secrets(path.rpartition("/")[0]),
        lambda path: eve.patch(path, {"a": 1}),
    ]:
        answers = []
        for name in [path, f"{path}-nowhere"]:
            with pytest.raises(exceptions.InvalidPath) as missing:
                ask(name)
            answers.append((missing.value.errors, missing.value.text))
        assert answers[0][0] == answers[1][0]
    with pytest.raises(exceptions.InvalidPath):
        eve.list_secrets("")
    # What is done to the same path is done to what is its own.
    eve.delete_latest_version_of_secret(path)
    eve.destroy_secret_versions(path, [1])
    eve.delete_metadata_and_all_versions(path)
    assert eve.create_or_update_secret(path, {"mine": 1}, cas=0)["data"]["version"] == 1
    assert read(kv, path)["data"] == {"password": "hunter2"}
    assert kv.read_secret_metadata(path)["data"]["current_version"] == 1


def test_no_value_stands_in_the_servers_log(server, kv, path):
    kv.create_or_update_secret(path, {"password": "correct-horse-sentinel"})
    read(kv, path)
    with pytest.raises(exceptions.InvalidRequest):
        kv.create_or_update_secret(path, {"password": "correct-horse-sentinel"}, cas=9)
    assert "correct-horse-sentinel" not in "".join(server.log)


def test_a_policy_of_secrets_manager_holds_here(connect, server, people, owner, client):
    """Whom a secret's own policy names reads that secret, and whom it denies does not, however it
    was put."""
    credentials = f"/organizations/{owner.organization}/self/credentials"
    key = server.ask(owner.token, "POST", credentials, {"kind": "access-key"})
    secrets = boto3.client(
        "secretsmanager",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
    )
    agent = people.agent(owner, ["vault:list", "vault:put"], ["secret:*"])
    account = secrets.create_secret(Name="policies/a", SecretString='{"a":1}')["ARN"].split(":")[4]
    client.secrets.kv.v2.create_or_update_secret("policies/b", {"b": 1})
    kv = connect(agent).secrets.kv.v2
    shown = f"/organizations/{owner.organization}/secrets/policies%2Fa"

    def put(effect, action):
        principal = {"AWS": f"arn:aws:iam::{account}:role/agents/{agent.principal}"}
        statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        secrets.put_resource_policy(SecretId="policies/a", ResourcePolicy=policy)

    def capabilities():
        path = "secret/data/policies/a"
        return set(connect(agent).sys.get_capabilities(paths=[path])["data"][path])

    def explained():
        asked = {
            "principal": agent.principal,
            "action": "secretsmanager:GetSecretValue",
            "resource": "secret:policies/a",
        }
        explain = f"/organizations/{owner.organization}/access/explain"
        return server.ask(owner.token, "POST", explain, asked)["allowed"]

    assert not server.ask(owner.token, "GET", shown)["has_policy"]
    for path in "policies/a", "policies/b":
        with pytest.raises(exceptions.Forbidden):
            read(kv, path)
    assert not explained()
    assert capabilities() == {"create", "update"}

    put("Allow", "secretsmanager:GetSecretValue")
    assert server.ask(owner.token, "GET", shown)["has_policy"]
    assert read(kv, "policies/a")["data"] == {"a": 1}
    assert server.ask(agent.token, "GET", f"{shown}/value")["value"]
    assert explained()
    assert capabilities() == {"create", "patch", "read", "update"}
    with pytest.raises(exceptions.Forbidden):
        read(kv, "policies/b")

    put("Deny", "secretsmanager:*")
    for refused in (
        lambda: read(kv, "policies/a"),
        lambda: kv.create_or_update_secret("policies/a", {"a": 2}),
        lambda: kv.read_secret_metadata("policies/a"),
        lambda: kv.delete_latest_version_of_secret("policies/a"),
    ):
        with pytest.raises(exceptions.Forbidden):
            refused()
    assert capabilities() == {"deny"}
    assert kv.list_secrets("policies")["data"]["keys"] == ["b"]
    assert client.secrets.kv.v2.list_secrets("policies")["data"]["keys"] == ["a", "b"]
    secrets.delete_resource_policy(SecretId="policies/a")
    kv.create_or_update_secret("policies/a", {"a": 2})
    assert read(client.secrets.kv.v2, "policies/a")["data"] == {"a": 2}
