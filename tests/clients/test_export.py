"""The export of an organization, as somebody reads it who has nothing but Python's `tarfile`."""

import base64
import hashlib
import http.client
import io
import json
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
import pytest
from botocore.config import Config

from conftest import ODD_KEYS, noise
from server import REGION, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One alone: `/api/v1` is not at the door that the others ask over HTTP and TLS."""
    server = Server(tmp_path_factory.mktemp("server"), tls=False)
    server.start()
    yield server
    server.stop()


class Organization:
    """An organization, as its owner asks it, with what was put into it."""

    def __init__(self, server, email):
        self.server = server
        session = server.sign_up(email)
        self.email, self.id = email, session["organization"]
        self.token, self.owner = session["token"], session["principal"]
        self.s3 = self.connect("self")
        self.files = {}

    def ask(self, method, path, body=None):
        path = f"/organizations/{self.id}/{path}"
        return self.server.ask(self.token, method, path, body)

    def connect(self, whose, service="s3"):
        """A service with a key of the owner's, or of an agent's."""
        key = self.ask("POST", f"{whose}/credentials", {"kind": "access-key"})
        return boto3.client(
            service,
            endpoint_url=self.server.endpoint,
            region_name=REGION,
            aws_access_key_id=key["id"],
            aws_secret_access_key=key["secret"],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def put(self, bucket, key, content, s3=None, **options):
        (s3 or self.s3).put_object(Bucket=bucket, Key=key, Body=content, **options)
        self.files[bucket, key] = content

    def open(self, query=""):
        request = urllib.request.Request(
            f"{self.server.control}/api/v1/organizations/{self.id}/export{query}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return urllib.request.urlopen(request)

    def export(self, query=""):
        with self.open(query) as answer:
            assert answer.headers["content-type"] == "application/x-tar"
            return answer.read()

    def activity(self, query):
        """The entries that a query asks for, from all of its pages."""
        found, after = [], ""
        while True:
            page = self.ask("GET", f"activity?{query}&limit=1000{after}")
            found += page["items"]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    def reveals(self):
        """The secrets of which the log says that an export has revealed a version."""
        found = self.activity("action=vault:reveal&order=oldest")
        for entry in found:
            assert entry["operation"] == "ExportOrganization", entry
            assert (entry["decision"], entry["rule"]) == ("allowed", "role:owner"), entry
            assert entry["principal"] == self.owner, entry
        return [entry["resource"] for entry in found]


@pytest.fixture(scope="module")
def organization(server):
    """One that has some of everything."""
    organization = Organization(server, "owner@example.com")
    ask, put = organization.ask, organization.put
    for bucket in ["files", "empty", "agents"]:
        organization.s3.create_bucket(Bucket=bucket)
    for number, key in enumerate(ODD_KEYS):
        put("files", key, noise(100 * number, seed=number))
    put("files", "large", noise(3_000_000))
    put("files", "told", b"", ContentType="text/plain", Metadata={"project": "apollo"})

    organization.agents = agents = {}
    for name in ["Reader", "Writer"]:
        agent = ask("POST", "agents", {"name": name})["id"]
        agents[agent] = fill_home(organization, agent, name)
    organization.teams = teams = {}
    for name, seats in [("Crew", [organization.owner, *agents]), ("Pair", agents), ("None", [])]:
        team = ask("POST", "teams", {"name": name})["id"]
        teams[team] = set(seats)
        for principal in seats:
            ask("PUT", f"teams/{team}/members/{principal}")
    grant = {"subject": {"team": team}, "actions": ["s3:GetObject"], "resources": ["drive:files/*"]}
    organization.grant = ask("POST", "grants", grant)["id"]
    ask("POST", "invitations", {"email": "friend@example.com", "role": "viewer"})
    organization.secrets = fill_vault(ask)
    # What is used is counted first and written a little later.
    while not ask("GET", "usage")["items"]:
        time.sleep(0.01)
    return organization


def fill_home(organization, agent, name):
    """What an agent keeps: what people cannot write, it writes itself."""
    own = organization.connect(f"agents/{agent}")
    organization.put("agents", f"{agent}/notes/today", name.encode(), s3=own)
    made = organization.ask("POST", f"agents/{agent}/credentials", {"kind": "api-token"})
    path = f"/organizations/{organization.id}/agents/{agent}"
    records = {
        ("skill", "walk"): f"{name} walks",
        ("knowledge", "facts"): {"who": name, "knows": [1, 2, 3]},
        ("conversation", "first"): "noise " * 1000,
    }
    for (kind, label), value in records.items():
        record = {"value": value}
        organization.server.ask(made["token"], "PUT", f"{path}/records/{kind}/{label}", record)
    tasks = [(f"task {number}", {"took": number}) for number in range(3)]
    for title, detail in tasks:
        task = {"title": title, "detail": detail}
        organization.server.ask(made["token"], "POST", f"{path}/tasks", task)
    identity = {"issuer": "https://login.example.com", "subject": f"{name}-at-work"}
    organization.ask("POST", f"agents/{agent}/identities", identity)
    return {"records": records, "tasks": tasks, "identity": identity}


def fill_vault(ask):
    """Secrets, and the values that can be revealed, by path and number."""
    text, fields = {"text": "hunter-two"}, {"fields": {"username": "ada", "password": "ada-pass"}}
    binary = {"base64": base64.b64encode(b"\0\xff" * 20_000).decode()}
    secrets = {
        "plain": ("opaque", [text]),
        "prod/db": ("basic", [fields, {"fields": {"username": "ada", "password": "newer"}}]),
        "prod/100%/key": ("opaque", [binary]),
        "none": ("opaque", []),
        "many": ("opaque", [{"text": f"many-{number}"} for number in range(40)]),
        "gone": ("api-key", [{"text": "about-to-go"}]),
        "holes": ("opaque", [{"text": f"hole-{number}"} for number in range(4)]),
    }
    live = {}
    for path, (kind, values) in secrets.items():
        secret = {"path": path, "kind": kind, "description": f"of {path}", "tags": {"of": path}}
        ask("POST", "secrets", secret)
        named = f"secrets/{urllib.parse.quote(path, safe='')}"
        for number, value in enumerate(values):
            ask("POST", f"{named}/versions", {"value": value})
            live[path, number + 1] = value
    ask("DELETE", "secrets/gone")
    ask("POST", "secrets/holes/versions/delete", {"versions": [1]})
    ask("POST", "secrets/holes/versions/destroy", {"versions": [2]})
    for lost in [("gone", 1), ("holes", 1), ("holes", 2)]:
        del live[lost]
    return {"kinds": {path: kind for path, (kind, _) in secrets.items()}, "live": live}


def read(archive):
    """Every member's bytes by its name, once its sum is what the manifest says."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = tar.getmembers()
        assert all(member.isreg() for member in members)
        held = {member.name: tar.extractfile(member).read() for member in members}
    assert len(held) == len(members), "no name is there twice"
    assert members[-1].name == "MANIFEST.json"
    summary = json.loads(held.pop("MANIFEST.json"))
    names = [member.name for member in members if member.name.startswith("manifest/")]
    manifest = b"".join(held.pop(name) for name in names)
    assert summary == {
        "entries": len(held),
        "manifests": len(names),
        "sha256": hashlib.sha256(manifest).hexdigest(),
    }
    said = {line["name"]: line for line in map(json.loads, manifest.splitlines())}
    assert said == {
        name: {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in held.items()
    }
    return held


def below(folder, path):
    """Where something of this path is kept."""

    def kept(segment):
        if segment in ["", ".", ".."]:
            return segment.replace(".", "%2E") or "%"
        is_odd = lambda c: c in "%\\" or ord(c) < 32 or ord(c) == 127
        return "".join(f"%{ord(c):02X}" if is_odd(c) else c for c in segment)

    return "/".join([folder, *map(kept, path.split("/"))])


def lines(held, folder):
    """The lines of a list that may have several pages."""
    pages = sorted(name for name in held if name.rpartition("/")[0] == folder)
    return [json.loads(line) for page in pages for line in held[page].splitlines()]


def test_everything_is_in_it(organization):
    held = read(organization.export("?secrets=true"))
    about = json.loads(held.pop("organization.json"))
    assert about == {"format": 2, "organization": organization.id, "secret_values": True}

    for (bucket, key), content in organization.files.items():
        assert held.pop(below(f"drive/{bucket}", key)) == content, key
        sidecar = json.loads(held.pop(below(f"metadata/{bucket}", key) + ".json"))
        assert (sidecar["bucket"], sidecar["key"]) == (bucket, key)
        assert sidecar["size"] == len(content)
        if key == "told":
            assert sidecar["content_type"] == "text/plain"
            assert sidecar["metadata"] == [["project", "apollo"]]
    for bucket in ["files", "empty", "agents"]:
        assert json.loads(held.pop(f"buckets/{bucket}.json"))["bucket"] == bucket

    for path, kind in organization.secrets["kinds"].items():
        secret = json.loads(held.pop(below("secrets", path) + ".json"))
        shown = {name: secret[name] for name in ["path", "kind", "description", "tags", "state"]}
        assert shown == {
            "path": path,
            "kind": kind,
            "description": f"of {path}",
            "tags": {"of": path},
            "state": "deleted" if path == "gone" else "active",
        }
    for (path, number), value in organization.secrets["live"].items():
        revealed = json.loads(held.pop(below("values", path) + f"/{number}.json"))
        assert (revealed["path"], revealed["version"]["number"]) == (path, number)
        assert revealed["kind"] == organization.secrets["kinds"][path]
        assert revealed["value"] == value

    assert json.loads(held.pop("records/profile.json"))["settings"] == {}
    [member] = lines(held, "records/members")
    assert (member["id"], member["role"]) == (organization.owner, "owner")
    [invitation] = lines(held, "records/invitations")
    assert (invitation["email"], invitation["role"]) == ("friend@example.com", "viewer")
    assert {team["id"] for team in lines(held, "records/teams")} == organization.teams.keys()
    seats = [(seat["team"], seat["principal"]) for seat in lines(held, "records/team-seats")]
    assert len(seats) == len(set(seats)) == 5
    for team, principals in organization.teams.items():
        assert {principal for of, principal in seats if of == team} == principals
    [grant] = lines(held, "records/grants")
    assert grant["id"] == organization.grant

    agents = {agent["id"]: agent["name"] for agent in lines(held, "records/agents")}
    assert agents.keys() == organization.agents.keys()
    for agent, kept in organization.agents.items():
        folder = f"records/agents/{agent}"
        context = lines(held, f"{folder}/context")
        assert len(context) == len(kept["records"])
        records = {(one["kind"], one["name"]): one["value"] for one in context}
        assert records == kept["records"]
        tasks = [(task["title"], task["detail"]) for task in lines(held, f"{folder}/tasks")]
        assert tasks == kept["tasks"]
        [identity] = lines(held, f"{folder}/identities")
        assert {name: identity[name] for name in ["issuer", "subject"]} == kept["identity"]
    assert {"requests", "secret_reads"} <= lines(held, "records/usage")[0].keys()
    log = lines(held, "activity")
    assert log[-1]["action"] == "bulkhead:ExportOrganization"
    assert [entry["decision"] for entry in log[-1:]] == ["intended"]

    folders = {name.split("/")[0] for name in held}
    assert folders == {"records", "activity"}, "and nothing that was not asked for"


def test_values_are_in_it_for_whoever_asks_and_recorded(organization):
    before = organization.reveals()
    for query in ["", "?secrets=false"]:
        archive = organization.export(query)
        held = read(archive)
        assert json.loads(held["organization.json"])["secret_values"] is False
        assert not any(name.startswith("values/") for name in held)
        for value in [b"hunter-two", b"ada-pass", b"many-17", b"hole-3"]:
            assert value not in archive
        for path, kind in organization.secrets["kinds"].items():
            secret = json.loads(held[below("secrets", path) + ".json"])
            assert (secret["path"], secret["kind"]) == (path, kind)
        numbers = [version["number"] for version in secret["versions"]]
        assert (path, numbers) == ("holes", [1, 2, 3, 4])
    assert organization.reveals() == before

    read(organization.export("?secrets=true"))
    recorded = organization.reveals()[len(before) :]
    live = organization.secrets["live"]
    assert sorted(recorded) == sorted(f"secret:{path}" for path, _ in live)

    with pytest.raises(urllib.error.HTTPError) as refused:
        organization.export("?secrets=yes")
    assert refused.value.code == 400


def test_a_value_is_in_the_log_before_it_leaves(server):
    """Whoever takes no more than the beginning has taken nothing that is not recorded."""
    organization = Organization(server, "hurried@example.com")
    path = "large/{:03}"
    for number in range(100):
        value = {"text": f"value-{number:03}-" + "x" * 60_000}
        secret = {"path": path.format(number), "value": value}
        organization.ask("POST", "secrets", secret)
    with organization.open("?secrets=true") as answer:
        taken = b""
        while b"value-010-" not in taken:
            taken += answer.read1()
        recorded = organization.reveals()
    assert len(recorded) < 100, "it goes on as it is taken"
    for number in range(100):
        if b"value-%03d-" % number in taken:
            assert f"secret:{path.format(number)}" in recorded


def test_an_archive_breaks_off_where_the_right_to_it_ends(server):
    organization = Organization(server, "leaving@example.com")
    organization.s3.create_bucket(Bucket="files")
    for number in range(24):
        organization.put("files", f"{number}", noise(1_000_000, seed=number))
    heir = server.sign_up("heir@example.com")
    invited = organization.ask("POST", "invitations", {"email": "heir@example.com", "role": "admin"})
    server.ask(heir["token"], "POST", "/invitations/accept", {"token": invited["token"]})
    members = organization.ask("GET", "members")["items"]
    [heir] = [member["id"] for member in members if member["email"] == "heir@example.com"]
    with organization.open() as answer:
        taken = answer.read1()
        organization.ask("POST", f"members/{heir}/transfer-ownership")
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()
    archive = taken + cut.value.partial
    assert b"MANIFEST.json" not in archive
    query = "action=bulkhead:ExportOrganization&decision=refused"
    [entry] = organization.activity(query)
    assert entry["principal"] == organization.owner
    assert "bulkhead:ExportOrganization" in entry["reason"]


def test_what_a_secret_denies_its_owner_is_left_out_and_recorded(organization):
    vault = organization.connect("self", "secretsmanager")
    arn = vault.create_secret(Name="closed", SecretString="closed-to-all")["ARN"]
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": arn,
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    vault.put_resource_policy(SecretId="closed", ResourcePolicy=json.dumps(policy))
    archive = organization.export("?secrets=true")
    held = read(archive)
    assert json.loads(held["policies/closed.json"]) == policy
    assert json.loads(held["secrets/closed.json"])["has_policy"]
    assert b"closed-to-all" not in archive
    assert "values/plain/1.json" in held
    [refused] = organization.activity("action=vault:reveal&decision=refused")
    assert (refused["resource"], refused["operation"]) == ("secret:closed", "ExportOrganization")
    vault.delete_resource_policy(SecretId="closed")
    held = read(organization.export("?secrets=true"))
    assert json.loads(held["values/closed/1.json"])["value"] == {"text": "closed-to-all"}
