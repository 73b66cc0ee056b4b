"""AWS Security Token Service: sessions by boto3 and the aws command line, which then use S3."""

import json
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from provider import CLIENT_SECRET, Provider
from server import PASSWORD, REGION, Key, Server

HOME = "https://console.example/back"


@pytest.fixture(scope="module")
def provider():
    provider = Provider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def server(provider, tmp_path_factory):
    """A server that believes the provider."""
    server = Server(tmp_path_factory.mktemp("sts"), tls=False)
    settings = server.directory / "bulkhead.toml"
    settings.write_text(provider.settings("work"))
    server.settings["BULKHEAD_CONFIG"] = settings
    server.settings["BULKHEAD_OIDC_WORK_CLIENT_SECRET"] = CLIENT_SECRET
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(server):
    def client(service, key, token=None):
        config = {"retries": {"total_max_attempts": 1}}
        if service == "s3":
            config["s3"] = {"addressing_style": "path"}
            # Presigned URLs are of version 2 by default in us-east-1.
            config["signature_version"] = "s3v4"
        return boto3.client(
            service,
            endpoint_url=server.endpoint,
            region_name=REGION,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            aws_session_token=token,
            config=Config(**config),
        )

    return client


@pytest.fixture(scope="module")
def owner(server):
    """The owner of an organization, with a key and a bucket of objects."""
    return Owner(server, "ada@example.com")


class Owner:
    def __init__(self, server, email):
        self.server = server
        self.email = email
        session = server.sign_up(email)
        self.token, self.org = session["token"], session["organization"]
        self.principal = session["principal"]
        self.key, self.key_id = self.make_key()

    def make_key(self):
        made = self.of_org("POST", "/self/credentials", {"kind": "access-key"})
        return Key(made["id"], made["secret"]), made["id"]

    def ask(self, method, path, body=None):
        return self.server.ask(self.token, method, path, body)

    def of_org(self, method, path, body=None):
        return self.ask(method, f"/organizations/{self.org}{path}", body)


@pytest.fixture(scope="module")
def objects(client, owner):
    s3 = client("s3", owner.key)
    s3.create_bucket(Bucket="docs")
    for key in ["reports/a", "private/b"]:
        s3.put_object(Bucket="docs", Key=key, Body=key.encode())
    return s3


@pytest.fixture
def sts(client, owner, objects):
    return client("sts", owner.key)


@pytest.fixture
def using(client):
    """S3 by what STS handed out."""

    def using(answer, service="s3"):
        made = answer["Credentials"]
        key = Key(made["AccessKeyId"], made["SecretAccessKey"])
        return client(service, key, made["SessionToken"])

    return using


def account(sts):
    return sts.get_caller_identity()["Account"]


def role(sts, name):
    return f"arn:aws:iam::{account(sts)}:role/{name}"


def policy(*actions, resource="*"):
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refused(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_who_calls(sts, owner, using):
    seen = sts.get_caller_identity()
    assert seen["UserId"] == owner.principal
    assert seen["Arn"] == f"arn:aws:iam::{seen['Account']}:user/{owner.principal}"
    assert len(seen["Account"]) == 12 and seen["Account"].isdigit()
    assert seen["ResponseMetadata"]["RequestId"]
    made = sts.assume_role(RoleArn=role(sts, "viewer"), RoleSessionName="night-run")
    arn = f"arn:aws:sts::{seen['Account']}:assumed-role/viewer/night-run"
    assert made["AssumedRoleUser"]["Arn"] == arn
    assert using(made, "sts").get_caller_identity()["Arn"] == arn


def test_a_session_token(sts, using):
    made = sts.get_session_token(DurationSeconds=900)
    lasts = made["Credentials"]["Expiration"].timestamp()
    date = made["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert lasts and date
    s3 = using(made)
    s3.put_object(Bucket="docs", Key="reports/c", Body=b"c")
    assert s3.get_object(Bucket="docs", Key="reports/c")["Body"].read() == b"c"
    url = s3.generate_presigned_url("get_object", {"Bucket": "docs", "Key": "reports/c"})
    assert urllib.request.urlopen(url).read() == b"c"
    assert refused(using(made, "sts").get_session_token) == "AccessDenied"


def test_the_token_comes_with_every_signature(sts, client):
    made = sts.get_session_token()["Credentials"]
    key = Key(made["AccessKeyId"], made["SecretAccessKey"])
    for token, code in [(None, "InvalidAccessKeyId"), ("another", "InvalidToken")]:
        assert refused(client("s3", key, token).list_buckets) == code


def test_a_role_and_a_policy_narrow(sts, using):
    place = {"Bucket": "docs", "Key": "reports/a"}
    viewer = using(sts.assume_role(RoleArn=role(sts, "viewer"), RoleSessionName="one"))
    assert viewer.get_object(**place)["Body"].read() == b"reports/a"
    assert refused(viewer.put_object, **place, Body=b"x") == "AccessDenied"
    made = sts.assume_role(
        RoleArn=role(sts, "member"),
        RoleSessionName="two",
        Policy=policy("s3:GetObject", resource="arn:aws:s3:::docs/reports/*"),
        DurationSeconds=900,
    )
    assert 1 <= made["PackedPolicySize"] <= 100
    narrow = using(made)
    assert narrow.get_object(**place)["Body"].read() == b"reports/a"
    assert refused(narrow.get_object, Bucket="docs", Key="private/b") == "AccessDenied"
    assert refused(narrow.put_object, **place, Body=b"x") == "AccessDenied"
    assert refused(narrow.list_objects_v2, Bucket="docs") == "AccessDenied"
    # Whatever it asks for, it stays as narrow.
    asking = using(
        sts.assume_role(
            RoleArn=role(sts, "viewer"),
            RoleSessionName="three",
            Policy=policy("s3:GetObject", "sts:AssumeRole"),
        ),
        "sts",
    )
    wide = {"RoleSessionName": "four", "Policy": policy("*")}
    wider = using(asking.assume_role(RoleArn=role(sts, "viewer"), **wide))
    assert wider.get_object(**place)["Body"].read() == b"reports/a"
    assert refused(wider.put_object, **place, Body=b"x") == "AccessDenied"
    assert refused(wider.list_buckets) == "AccessDenied"
    assert refused(asking.assume_role, RoleArn=role(sts, "owner"), **wide) == "AccessDenied"


def test_what_is_refused_has_its_code(sts):
    asked = {"RoleArn": role(sts, "viewer"), "RoleSessionName": "ci"}
    exceptions = sts.exceptions
    with pytest.raises(exceptions.MalformedPolicyDocumentException):
        sts.assume_role(**asked, Policy='{"Statement": []}')
    with pytest.raises(exceptions.PackedPolicyTooLargeException):
        sts.assume_role(**asked, Policy=policy(*["s3:GetObject"] * 200))
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    for wrong in [
        {"DurationSeconds": 43201},
        {"PolicyArns": [{"arn": arn}]},
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456"},
    ]:
        assert refused(sts.assume_role, **asked, **wrong) == "ValidationError", wrong
    for name in ["nobody", "agents/01234567-89ab-7def-8123-456789abcdef"]:
        asked = {"RoleArn": role(sts, name), "RoleSessionName": "ci"}
        assert refused(sts.assume_role, **asked) == "AccessDenied"
    assert refused(sts.get_federation_token, Name="somebody") == "InvalidAction"


def test_a_session_ends_with_its_maker(owner, client, using, objects):
    key, id = owner.make_key()
    sts = client("sts", key)
    first = sts.assume_role(RoleArn=role(sts, "member"), RoleSessionName="one")
    asking = using(first, "sts")
    second = asking.assume_role(RoleArn=role(sts, "viewer"), RoleSessionName="two")
    for made in [first, second]:
        assert using(made).get_object(Bucket="docs", Key="reports/a")
    owner.of_org("DELETE", f"/self/credentials/{id}")
    for made in [first, second]:
        code = refused(using(made).get_object, Bucket="docs", Key="reports/a")
        assert code == "InvalidAccessKeyId"
    assert refused(asking.get_caller_identity) == "InvalidClientTokenId"


def test_organizations_stay_apart(server, sts, client, using):
    other = client("sts", server.create_organization("another"))
    session = using(other.get_session_token())
    assert session.list_buckets()["Buckets"] == []
    assert refused(session.get_object, Bucket="docs", Key="reports/a") == "NoSuchBucket"
    theirs = {"RoleArn": role(sts, "viewer"), "RoleSessionName": "ci"}
    nowhere = theirs | {"RoleArn": "arn:aws:iam::000000000000:role/viewer"}
    assert refused(other.assume_role, **theirs) == "AccessDenied"
    assert refused(other.assume_role, **nowhere) == "AccessDenied"


@pytest.fixture(scope="module")
def agent(owner, provider):
    """An agent that may read reports, for whom the provider vouches."""
    agent = owner.of_org("POST", "/agents", {"name": "Runner"})["id"]
    grant = {
        "subject": {"agent": agent},
        "actions": ["s3:GetObject"],
        "resources": ["drive:docs/reports/*"],
    }
    owner.of_org("POST", "/grants", grant)
    identity = {"issuer": provider.issuer, "subject": "runner"}
    owner.of_org("POST", f"/agents/{agent}/identities", identity)
    [linked] = owner.of_org("GET", f"/agents/{agent}/identities")["items"]
    assert (linked["issuer"], linked["subject"]) == (provider.issuer, "runner")
    return agent


@pytest.fixture
def anybody(server):
    """A client that has no key."""
    return boto3.client(
        "sts",
        endpoint_url=server.endpoint,
        region_name=REGION,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )


def test_a_web_identity(anybody, agent, owner, provider, sts, using):
    audience = f"urn:bulkhead:organization:{owner.org}"
    asked = {"RoleArn": role(sts, f"agents/{agent}"), "RoleSessionName": "runner-7"}
    made = anybody.assume_role_with_web_identity(
        **asked, WebIdentityToken=provider.token("runner", audience)
    )
    assert made["SubjectFromWebIdentityToken"] == "runner"
    assert (made["Audience"], made["Provider"]) == (audience, provider.issuer)
    s3 = using(made)
    assert s3.get_object(Bucket="docs", Key="reports/a")["Body"].read() == b"reports/a"
    assert refused(s3.get_object, Bucket="docs", Key="private/b") == "AccessDenied"
    assert refused(s3.put_object, Bucket="docs", Key="reports/a", Body=b"x") == "AccessDenied"
    name = f"arn:aws:sts::{account(sts)}:assumed-role/{agent}/runner-7"
    assert using(made, "sts").get_caller_identity()["Arn"] == name

    def code(token, **changed):
        call = anybody.assume_role_with_web_identity
        return refused(call, **asked | changed, WebIdentityToken=token)

    assert code(provider.token("runner", audience, lasts=-3600)) == "ExpiredTokenException"
    assert code(provider.token("runner", "bulkhead")) == "InvalidIdentityToken"
    assert code(provider.unsigned("runner", audience)) == "InvalidIdentityToken"
    assert code("not.a.token") == "InvalidIdentityToken"
    assert code(provider.token("somebody", audience)) == "AccessDenied"
    missing = role(sts, "agents/01234567-89ab-7def-8123-456789abcdef")
    assert code(provider.token("runner", audience), RoleArn=missing) == "AccessDenied"
    # It is of no use while the agent is suspended, and gone with it.
    owner.of_org("POST", f"/agents/{agent}/suspend")
    assert refused(s3.get_object, Bucket="docs", Key="reports/a") == "AccessDenied"
    owner.of_org("POST", f"/agents/{agent}/resume")
    assert s3.get_object(Bucket="docs", Key="reports/a")


def test_a_session_ends_with_the_identity_that_it_came_by(
    anybody, owner, provider, sts, using, objects
):
    agent = owner.of_org("POST", "/agents", {"name": "Walker"})["id"]
    grant = {
        "subject": {"agent": agent},
        "actions": ["s3:GetObject"],
        "resources": ["drive:docs/reports/*"],
    }
    owner.of_org("POST", "/grants", grant)
    asked = {"RoleArn": role(sts, f"agents/{agent}"), "RoleSessionName": "walk"}
    audience = f"urn:bulkhead:organization:{owner.org}"
    identities = f"/agents/{agent}/identities"
    assume = anybody.assume_role_with_web_identity
    place = {"Bucket": "docs", "Key": "reports/a"}
    s3 = {}
    for subject in ["walker", "runner-up"]:
        identity = {"issuer": provider.issuer, "subject": subject}
        owner.of_org("POST", identities, identity)
        s3[subject] = using(assume(**asked, WebIdentityToken=provider.token(subject, audience)))
        assert s3[subject].get_object(**place)
    owner.of_org("DELETE", f"{identities}?issuer={provider.issuer}&subject=walker")
    assert refused(s3["walker"].get_object, **place) == "InvalidAccessKeyId"
    assert s3["runner-up"].get_object(**place)
    token = provider.token("walker", audience)
    assert refused(assume, **asked, WebIdentityToken=token) == "AccessDenied"


def test_the_command_line(server, sts, agent, owner, provider, run, tmp_path, objects):
    def aws(*arguments, fails=False, **environment):
        environment = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        } | environment
        return run("aws", *arguments, environment=environment, fails=fails)

    keys = {"AWS_ACCESS_KEY_ID": owner.key.id, "AWS_SECRET_ACCESS_KEY": owner.key.secret}
    assumed = aws(
        "sts", "assume-role", "--role-arn", role(sts, "viewer"),
        "--role-session-name", "ci", **keys,
    )  # fmt: skip
    made = json.loads(assumed)["Credentials"]
    session = {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }
    assert aws("s3", "cp", "s3://docs/reports/a", "-", **session) == b"reports/a"
    assert "AccessDenied" in aws("s3", "rm", "s3://docs/reports/a", fails=True, **session)
    # As a workload does: the token in a file, and the SDK asks STS by itself.
    token = tmp_path / "token"
    audience = f"urn:bulkhead:organization:{owner.org}"
    token.write_text(provider.token("runner", audience))
    workload = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": role(sts, f"agents/{agent}"),
        "AWS_ROLE_SESSION_NAME": "workload",
    }
    assert aws("s3", "cp", "s3://docs/reports/a", "-", **workload) == b"reports/a"
    denied = aws("s3", "cp", "s3://docs/private/b", "-", fails=True, **workload)
    assert "Forbidden" in denied or "AccessDenied" in denied


def test_somebody_logs_in_at_a_provider(server, owner, provider):
    def begun():
        return server.ask("", "POST", "/sessions/oidc/begin", ask)

    def back(subject):
        here = begun()
        code, state = provider.approve(here["authorization_url"], subject)
        return ask | {"ticket": here["ticket"], "state": state, "code": code}

    def status(token, method, path, body):
        with pytest.raises(AssertionError) as caught:
            server.ask(token, method, path, body)
        return caught.value.__cause__.code

    ask = {"provider": "work", "redirect_uri": HOME}
    # Nobody is known by it, whatever address the provider tells of them.
    assert status("", "POST", "/sessions/oidc", back("ada@example.com")) == 401
    owner.ask("POST", "/account/identities", back("ada-at-work"))
    [linked] = owner.ask("GET", "/account/identities")["items"]
    assert linked["subject"] == "ada-at-work"
    came = back("ada-at-work")
    session = server.ask("", "POST", "/sessions/oidc", came)
    assert session["organization"] == owner.org
    assert server.ask(session["token"], "GET", "/self")["principal"] == owner.principal
    # A code is good for once, and for who began.
    assert status("", "POST", "/sessions/oidc", came) == 401
    mine, theirs = back("ada-at-work"), back("ada-at-work")
    swapped = mine | {"code": theirs["code"], "state": theirs["state"]}
    assert status("", "POST", "/sessions/oidc", swapped) == 401
    other = {"provider": "other", "redirect_uri": HOME}
    assert status("", "POST", "/sessions/oidc/begin", other) == 404
    named = f"?issuer={provider.issuer}&subject=ada-at-work"
    owner.ask("DELETE", f"/account/identities{named}")
    assert status("", "POST", "/sessions/oidc", back("ada-at-work")) == 401


def test_attempts_to_log_in_at_a_provider_are_counted(provider, tmp_path):
    # A server of its own: all that come from here are locked out in the end.
    server = Server(tmp_path, tls=False)
    settings = tmp_path / "bulkhead.toml"
    settings.write_text(provider.settings("work"))
    server.settings["BULKHEAD_CONFIG"] = settings
    server.settings["BULKHEAD_OIDC_WORK_CLIENT_SECRET"] = CLIENT_SECRET
    server.start()
    owner = Owner(server, "ada@example.com")
    ask = {"provider": "work", "redirect_uri": HOME}

    def back():
        here = server.ask("", "POST", "/sessions/oidc/begin", ask)
        code, state = provider.approve(here["authorization_url"], "ada-at-work")
        return ask | {"ticket": here["ticket"], "state": state, "code": code}

    def status(path, body):
        with pytest.raises(AssertionError) as caught:
            server.ask("", "POST", path, body)
        return caught.value.__cause__.code

    owner.ask("POST", "/account/identities", back())
    forged = back() | {"state": "0" * 64}
    # By her password she came from here before, which was the first of a hundred.
    assert [status("/sessions/oidc", forged) for _ in range(98)] == [401] * 98
    # Whoever gets in is counted out again.
    for _ in range(3):
        assert server.ask("", "POST", "/sessions/oidc", back())["organization"] == owner.org
    assert status("/sessions/oidc", forged) == 401
    for body in [forged, back()]:
        assert status("/sessions/oidc", body) == 429
    password = {"email": owner.email, "password": PASSWORD}
    assert status("/sessions", password) == 429, "they are counted together"
    server.stop()


def test_what_was_done_is_in_the_log(owner, sts):
    sts.assume_role(RoleArn=role(sts, "viewer"), RoleSessionName="recorded-run")
    asked = {"RoleArn": role(sts, "nobody"), "RoleSessionName": "refused-run"}
    assert refused(sts.assume_role, **asked) == "AccessDenied"
    log = json.dumps(owner.of_org("GET", "/activity?limit=1000"))
    assert "role:viewer/recorded-run" in log
    assert "role:nobody/refused-run" in log
