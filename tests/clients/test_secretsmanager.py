"""AWS Secrets Manager at the address of S3, by boto3 and the aws command line as they are."""

import base64
import datetime
import itertools
import json
import re
import string
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import noise
from server import REGION, Key


@pytest.fixture(scope="session")
def secrets_of(server):
    """Makes clients; what they are asked is asked once, so that no retry hides a failure."""

    def secrets_of(key, **config):
        return boto3.client(
            "secretsmanager",
            endpoint_url=server.endpoint,
            region_name=REGION,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            verify=server.ca,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    return secrets_of


@pytest.fixture(scope="session")
def secrets(secrets_of, server):
    return secrets_of(server.key)


@pytest.fixture(scope="session")
def unchecked(secrets_of, server):
    """A client that sends what the model of the API forbids."""
    return secrets_of(server.key, parameter_validation=False)


@pytest.fixture(scope="session")
def secret_names():
    return (f"tests/secret.{number}" for number in itertools.count())


@pytest.fixture
def name(secret_names):
    return next(secret_names)


@pytest.fixture
def made(secrets, name):
    return secrets.create_secret(Name=name, SecretString="first", Description="a secret")


@pytest.fixture(scope="module")
def other(secrets_of, server):
    return secrets_of(server.create_organization("keepers"))


def error(call, *arguments, **parameters):
    """The code that a call must end with; what of it the model knows is an exception of its own."""
    with pytest.raises(ClientError) as raised:
        call(*arguments, **parameters)
    response = raised.value.response
    assert response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"]


def value(secrets, secret, **which):
    return secrets.get_secret_value(SecretId=secret, **which)["SecretString"]


# Secrets.


def test_a_secret_comes_back_as_it_went(secrets, name):
    made = secrets.create_secret(
        Name=name,
        SecretString='{"user":"ä","password":"\\u0000\\n🦀"}',
        Description="of the tests",
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
    )
    assert re.fullmatch(
        rf"arn:aws:secretsmanager:{REGION}:\d{{12}}:secret:{re.escape(name)}-[A-Za-z0-9]{{6}}",
        made["ARN"],
    )
    assert made["Name"] == name
    partial = made["ARN"].rpartition("-")[0]
    for secret in name, made["ARN"], partial:
        read = secrets.get_secret_value(SecretId=secret)
        assert json.loads(read["SecretString"]) == {"user": "ä", "password": "\0\n🦀"}
        assert read["VersionId"] == made["VersionId"]
        assert read["VersionStages"] == ["AWSCURRENT"]
        age = datetime.datetime.now(datetime.UTC) - read["CreatedDate"]
        assert abs(age) < datetime.timedelta(minutes=1)
        shown = secrets.describe_secret(SecretId=secret)
        assert (shown["ARN"], shown["Name"]) == (made["ARN"], name)
        assert shown["Description"] == "of the tests"
        assert {tag["Key"]: tag["Value"] for tag in shown["Tags"]} == {"team": "blue", "empty": ""}
        assert shown["VersionIdsToStages"] == {made["VersionId"]: ["AWSCURRENT"]}
        assert "DeletedDate" not in shown


def test_bytes_come_back_as_they_went(secrets, name):
    sent = noise(1000)
    secrets.create_secret(Name=name, SecretBinary=sent)
    read = secrets.get_secret_value(SecretId=name)
    assert read["SecretBinary"] == sent
    assert "SecretString" not in read
    # What was bytes may become text.
    secrets.put_secret_value(SecretId=name, SecretString="text")
    assert value(secrets, name) == "text"


def test_a_value_has_at_most_64_kib(secrets, unchecked, name):
    for whole in {"SecretString": "x" * 65536}, {"SecretBinary": noise(65536)}:
        secrets.create_secret(Name=name, **whole)
        read = secrets.get_secret_value(SecretId=name)
        assert {member: read[member] for member in whole} == whole
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name=name, SecretString="x")
    for more in {"SecretString": "x" * 65537}, {"SecretBinary": noise(65537)}, {"SecretString": ""}:
        assert error(unchecked.create_secret, Name=name + "-", **more) == "ValidationException"
        for call in unchecked.put_secret_value, unchecked.update_secret:
            assert error(call, SecretId=name, **more) == "ValidationException"
    assert value(secrets, name) == "x"


@pytest.mark.parametrize("good", ["a", "/a/b", "a.b@c+d=e_f!g-h", "x" * 512, "..a/b..", "UPPER"])
def test_a_name_is_what_amazon_lets_it_be(secrets, good):
    made = secrets.create_secret(Name=good, SecretString=good)
    assert value(secrets, made["ARN"]) == good
    secrets.delete_secret(SecretId=good, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize(
    "bad", ["", "a b", "ä", "a*", "a?b", "a\\b", "a:b", "x" * 513, "a//b", "../a", "a/./b", "a/"]
)
def test_a_name_is_nothing_else(unchecked, bad):
    assert error(unchecked.create_secret, Name=bad, SecretString="x") == "ValidationException"


def test_a_name_is_there_once(secrets, made, name):
    with pytest.raises(secrets.exceptions.ResourceExistsException, match=name):
        secrets.create_secret(Name=name, SecretString="first")


def test_a_token_names_its_version_and_writes_once(secrets, name):
    token = str(uuid.uuid4())
    create = {"Name": name, "SecretString": "one", "ClientRequestToken": token}
    first = secrets.create_secret(**create)
    assert first["VersionId"] == token
    again = secrets.create_secret(**create)
    assert (again["ARN"], again["VersionId"]) == (first["ARN"], token)
    reused = create | {"SecretString": "two"}
    assert error(secrets.create_secret, **reused) == "ResourceExistsException"

    token = str(uuid.uuid4())
    put = {"SecretId": name, "SecretString": "two", "ClientRequestToken": token}
    for call in secrets.put_secret_value, secrets.put_secret_value, secrets.update_secret:
        assert call(**put)["VersionId"] == token
    for call in secrets.put_secret_value, secrets.update_secret:
        assert error(call, **put | {"SecretString": "three"}) == "ResourceExistsException"
    versions = secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    assert len(versions) == 2
    assert value(secrets, name) == "two"


def test_an_update(secrets, made, name):
    secrets.update_secret(SecretId=name, Description="another")
    shown = secrets.describe_secret(SecretId=name)
    assert shown["Description"] == "another"
    assert shown["LastChangedDate"] >= shown["CreatedDate"]
    assert value(secrets, name) == "first"
    updated = secrets.update_secret(SecretId=name, SecretString="second", Description="")
    assert updated["VersionId"] != made["VersionId"]
    assert value(secrets, name) == "second"
    assert value(secrets, name, VersionStage="AWSPREVIOUS") == "first"
    assert "Description" not in secrets.describe_secret(SecretId=name)


def test_tags(secrets, made, name):
    def tags():
        shown = secrets.describe_secret(SecretId=name)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in shown}

    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    secrets.tag_resource(SecretId=made["ARN"], Tags=[{"Key": "a", "Value": "2"}])
    assert tags() == {"a": "2", "b": ""}
    secrets.untag_resource(SecretId=name, TagKeys=["b", "absent"])
    assert tags() == {"a": "2"}
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    assert error(secrets.tag_resource, SecretId=name, Tags=many) == "InvalidParameterException"
    assert tags() == {"a": "2"}
    reserved = [{"Key": "aws:x", "Value": "v"}]
    assert error(secrets.tag_resource, SecretId=name, Tags=reserved) == "InvalidParameterException"


# Versions.


def test_versions_and_their_stages(secrets, made, name):
    pending = secrets.put_secret_value(
        SecretId=name, SecretString="second", VersionStages=["AWSPENDING"]
    )
    assert pending["VersionStages"] == ["AWSPENDING"]
    assert value(secrets, name) == "first"
    assert value(secrets, name, VersionStage="AWSPENDING") == "second"
    assert value(secrets, name, VersionId=pending["VersionId"]) == "second"
    move = {"SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": pending["VersionId"]}
    move_stage = secrets.update_secret_version_stage
    # Whence it moves has to be said.
    assert error(move_stage, **move) == "InvalidParameterException"
    moved = move_stage(**move, RemoveFromVersionId=made["VersionId"])
    assert (moved["ARN"], moved["Name"]) == (made["ARN"], name)
    assert value(secrets, name) == "second"
    assert value(secrets, name, VersionStage="AWSPREVIOUS") == "first"
    removed = {"SecretId": name, "VersionStage": "AWSPENDING"}
    move_stage(**removed, RemoveFromVersionId=pending["VersionId"])
    listed = secrets.list_secret_version_ids(SecretId=name)
    assert (listed["ARN"], listed["Name"]) == (made["ARN"], name)
    stages = {version["VersionId"]: version["VersionStages"] for version in listed["Versions"]}
    assert stages == {made["VersionId"]: ["AWSPREVIOUS"], pending["VersionId"]: ["AWSCURRENT"]}
    kept = {"SecretId": name, "VersionStage": "AWSCURRENT"}
    removed = error(move_stage, **kept, RemoveFromVersionId=pending["VersionId"])
    assert removed == "InvalidParameterException"


def test_a_version_that_is_not_there(secrets, made, name):
    absent = {"SecretId": name, "VersionId": str(uuid.uuid4())}
    for which in absent, {"SecretId": name, "VersionStage": "ABSENT"}, {"SecretId": name + "-"}:
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(**which)
    both = {"SecretId": name, "VersionId": made["VersionId"], "VersionStage": "AWSPREVIOUS"}
    assert error(secrets.get_secret_value, **both) == "InvalidRequestException"


def test_old_versions_are_listed_in_pages(secrets, made, name):
    for number in range(6):
        secrets.put_secret_value(SecretId=name, SecretString=str(number))
    assert len(secrets.list_secret_version_ids(SecretId=name)["Versions"]) == 2
    seen, more = [], {}
    while True:
        page = secrets.list_secret_version_ids(
            SecretId=name, IncludeDeprecated=True, MaxResults=3, **more
        )
        seen += [version["VersionId"] for version in page["Versions"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert (len(seen), len(set(seen))) == (7, 7)
    wrong = {"SecretId": name, "NextToken": "wrong"}
    assert error(secrets.list_secret_version_ids, **wrong) == "InvalidNextTokenException"


# The end.


def test_a_deletion_can_be_taken_back(secrets, made, name):
    deleted = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    left = deleted["DeletionDate"] - datetime.datetime.now(datetime.UTC)
    assert abs(left - datetime.timedelta(days=7)) < datetime.timedelta(minutes=1)
    assert secrets.describe_secret(SecretId=name)["DeletedDate"] == deleted["DeletionDate"]
    for call, more in [
        (secrets.get_secret_value, {}),
        (secrets.put_secret_value, {"SecretString": "x"}),
        (secrets.update_secret, {"Description": "x"}),
        (secrets.tag_resource, {"Tags": []}),
        (secrets.delete_secret, {}),
    ]:
        # The operator External Secrets tells this case by the words.
        with pytest.raises(
            secrets.exceptions.InvalidRequestException, match="was marked for deletion"
        ):
            call(SecretId=name, **more)
    again = error(secrets.create_secret, Name=name, SecretString="x")
    assert again == "InvalidRequestException"
    restored = secrets.restore_secret(SecretId=made["ARN"])
    assert (restored["ARN"], restored["Name"]) == (made["ARN"], name)
    assert value(secrets, name) == "first"
    assert "DeletedDate" not in secrets.describe_secret(SecretId=name)


def test_a_deletion_by_force(secrets, made, name):
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    for call in secrets.get_secret_value, secrets.describe_secret, secrets.restore_secret:
        assert error(call, SecretId=name) == "ResourceNotFoundException"
    # Nobody is told that there was nothing.
    gone = secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert gone["Name"] == name
    new = secrets.create_secret(Name=name, SecretString="new")
    assert new["ARN"] != made["ARN"]
    assert error(secrets.get_secret_value, SecretId=made["ARN"]) == "ResourceNotFoundException"


def test_how_long_a_deletion_takes(secrets, made, name):
    for days in 6, 31:
        wrong = {"SecretId": name, "RecoveryWindowInDays": days}
        assert error(secrets.delete_secret, **wrong) == "InvalidParameterException"
    both = {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True}
    assert error(secrets.delete_secret, SecretId=name, **both) == "InvalidParameterException"
    left = secrets.delete_secret(SecretId=name)["DeletionDate"]
    left -= datetime.datetime.now(datetime.UTC)
    assert abs(left - datetime.timedelta(days=30)) < datetime.timedelta(minutes=1)


# Many.


@pytest.fixture(scope="module")
def shelf(secrets_of, server):
    """An organization with 150 secrets."""
    secrets = secrets_of(server.create_organization("shelf"), max_pool_connections=16)

    def create(number):
        secrets.create_secret(
            Name=f"shelf/{number:03}",
            SecretString=str(number),
            Description=f"{'Even' if number % 2 == 0 else 'Odd'} number {number}",
            Tags=[{"Key": "tens", "Value": str(number // 10)}],
        )

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, range(150)))
    return secrets


def listed(secrets, page_size=100, **which):
    paginator = secrets.get_paginator("list_secrets")
    pages = paginator.paginate(**which, PaginationConfig={"PageSize": page_size})
    return [secret["Name"] for page in pages for secret in page["SecretList"]]


def test_secrets_are_listed_in_pages(shelf):
    names = [f"shelf/{number:03}" for number in range(150)]
    assert len(shelf.list_secrets()["SecretList"]) == 100
    for size in 7, 100:
        assert listed(shelf, size, SortBy="name") == names
        assert listed(shelf, size, SortBy="name", SortOrder="desc") == names[::-1]
    by_date = listed(shelf, 9)
    assert (sorted(by_date), by_date) == (names, listed(shelf, 9, SortOrder="desc")[::-1])
    one = shelf.list_secrets(MaxResults=1, SortBy="name")["SecretList"][0]
    assert one["SecretVersionsToStages"].popitem()[1] == ["AWSCURRENT"]
    assert one["Tags"] == [{"Key": "tens", "Value": "0"}]
    token = shelf.list_secrets(MaxResults=1)["NextToken"]
    for wrong in {"NextToken": "wrong"}, {"NextToken": token, "SortOrder": "desc"}:
        assert error(shelf.list_secrets, **wrong) == "InvalidNextTokenException"


def test_secrets_are_filtered(shelf, secrets_of):
    def found(**filters):
        keys = {key.replace("_", "-"): values for key, values in filters.items()}
        which = [{"Key": key, "Values": values} for key, values in keys.items()]
        return listed(shelf, Filters=which, SortBy="name")

    def shelves(*numbers):
        return [f"shelf/{number:03}" for number in numbers]

    assert found(name=["shelf/01"]) == shelves(*range(10, 20))
    assert found(name=["shelf/00", "shelf/149"]) == shelves(*range(10), 149)
    assert found(name=["!shelf/0"]) == shelves(*range(100, 150))
    assert found(name=["Shelf"]) == []
    assert found(description=["even"], name=["shelf/00"]) == shelves(0, 2, 4, 6, 8)
    assert found(description=["number"]) == []
    assert len(found(tag_key=["te"])) == 150
    assert found(tag_value=["14"]) == shelves(*range(140, 150))
    assert found(tag_value=["14"], name=["!shelf/149"]) == shelves(*range(140, 149))
    assert found(all=["ODD 7"]) == shelves(7, 71, 73, 75, 77, 79)
    assert found(primary_region=["us"]) == found(owning_service=["rds"]) == []
    # What is scheduled for deletion is left out.
    shelf.delete_secret(SecretId="shelf/149")
    try:
        assert found(name=["shelf/14"]) == shelves(*range(140, 149))
        named = [{"Key": "name", "Values": ["shelf/14"]}]
        assert len(listed(shelf, Filters=named, IncludePlannedDeletion=True)) == 10
    finally:
        shelf.restore_secret(SecretId="shelf/149")


def test_values_of_many(shelf):
    wanted = [f"shelf/{number:03}" for number in range(19)]
    arn = shelf.describe_secret(SecretId=wanted[0])["ARN"]
    batch = shelf.batch_get_secret_value(SecretIdList=[arn, *wanted[1:], "absent"])
    assert [entry["Name"] for entry in batch["SecretValues"]] == wanted
    assert [entry["SecretString"] for entry in batch["SecretValues"]] == [
        str(number) for number in range(19)
    ]
    [failed] = batch["Errors"]
    assert (failed["SecretId"], failed["ErrorCode"]) == ("absent", "ResourceNotFoundException")

    seen, more = [], {}
    filters = [{"Key": "tag-value", "Values": ["14", "13", "12"]}]
    while True:
        page = shelf.batch_get_secret_value(Filters=filters, **more)
        assert len(page["SecretValues"]) <= 20
        seen += [int(entry["SecretString"]) for entry in page["SecretValues"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert sorted(seen) == list(range(120, 150))
    assert error(shelf.batch_get_secret_value) == "InvalidParameterException"


# Passwords and policies.


def test_a_password(secrets):
    def password(**rules):
        return secrets.get_random_password(**rules)["RandomPassword"]

    drawn = password()
    assert len(drawn) == 32
    kinds = string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation
    assert all(set(drawn) & set(kind) for kind in kinds)
    assert drawn != password()
    assert len(password(PasswordLength=4096)) == 4096
    only = {"ExcludePunctuation": True, "ExcludeUppercase": True, "ExcludeLowercase": True}
    assert re.fullmatch("[5-9]{8}", password(PasswordLength=8, ExcludeCharacters="01234", **only))
    assert " " in password(IncludeSpace=True)
    short = {"PasswordLength": 3}
    assert error(secrets.get_random_password, **short) == "InvalidParameterException"
    assert len(password(**short, RequireEachIncludedType=False)) == 3
    none = only | {"ExcludeNumbers": True}
    assert error(secrets.get_random_password, **none) == "InvalidParameterException"


def test_a_policy_that_is_not_understood_is_refused(secrets, made, name):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    public = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    foreign = public.replace('"*"', '{"AWS": "arn:aws:iam::123456789012:root"}', 1)
    for policy, code in [
        (public, "PublicPolicyException"),
        (foreign, "MalformedPolicyDocumentException"),
        ("{", "MalformedPolicyDocumentException"),
    ]:
        put = {"SecretId": name, "ResourcePolicy": policy}
        assert error(secrets.put_resource_policy, **put, BlockPublicPolicy=True) == code
        judged = secrets.validate_resource_policy(**put)
        assert not judged["PolicyValidationPassed"]
        assert judged["ValidationErrors"][0]["CheckName"] == code
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=name)
    assert secrets.delete_resource_policy(SecretId=name)["ARN"] == made["ARN"]


def test_a_policy_denies_until_it_is_deleted(secrets, made, name):
    account = made["ARN"].split(":")[4]
    statement = {
        "Sid": "Closed",
        "Effect": "Deny",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
        "Resource": made["ARN"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert secrets.validate_resource_policy(ResourcePolicy=policy)["PolicyValidationPassed"]
    put = secrets.put_resource_policy(SecretId=name, ResourcePolicy=policy)
    assert (put["ARN"], put["Name"]) == (made["ARN"], name)
    assert secrets.get_resource_policy(SecretId=made["ARN"])["ResourcePolicy"] == policy
    assert secrets.list_resource_policies(SecretId=name)["ResourcePolicies"] == [
        {"PolicyName": "default"}
    ]
    for secret in name, made["ARN"]:
        assert error(secrets.get_secret_value, SecretId=secret) == "AccessDeniedException"
    written = {"SecretId": name, "SecretString": "second"}
    assert error(secrets.put_secret_value, **written) == "AccessDeniedException"
    batch = secrets.batch_get_secret_value(SecretIdList=[name])
    assert batch["SecretValues"] == []
    assert batch["Errors"][0]["ErrorCode"] == "AccessDeniedException"
    assert secrets.describe_secret(SecretId=name)["Name"] == name
    secrets.delete_resource_policy(SecretId=name)
    assert value(secrets, name) == "first"


def test_what_is_not_built_says_so(secrets, made, name):
    regions = [{"Region": "eu-west-1"}]
    for call, parameters in [
        (secrets.rotate_secret, {}),
        (secrets.cancel_rotate_secret, {}),
        (secrets.replicate_secret_to_regions, {"AddReplicaRegions": regions}),
        (secrets.stop_replication_to_replica, {}),
    ]:
        with pytest.raises(ClientError, match="is not implemented") as raised:
            call(SecretId=name, **parameters)
        response = raised.value.response
        assert response["Error"]["Code"] == "NotImplementedException"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    for asked in {"AddReplicaRegions": regions}, {"KmsKeyId": "alias/mine"}:
        refused = error(secrets.create_secret, Name=name + "-", SecretString="x", **asked)
        assert refused == "InvalidParameterException"
    own = {"KmsKeyId": "alias/aws/secretsmanager"}
    assert secrets.create_secret(Name=name + "-", SecretString="x", **own)


# Walls.


def test_what_is_anothers_is_as_if_it_were_not(secrets, other, made, name):
    def refusal(call, secret, parameters):
        with pytest.raises(other.exceptions.ResourceNotFoundException) as raised:
            call(SecretId=secret, **parameters)
        response = raised.value.response
        headers = response["ResponseMetadata"]["HTTPHeaders"]
        changing = {"date", "x-amz-request-id", "x-amzn-requestid"}
        return response["Error"], {k: v for k, v in headers.items() if k not in changing}

    absent = name.replace("secret", "absent")
    for operation, parameters in [
        ("describe_secret", {}),
        ("get_secret_value", {}),
        ("put_secret_value", {"SecretString": "x"}),
        ("update_secret", {"Description": "x"}),
        ("delete_secret", {}),
        ("restore_secret", {}),
        ("list_secret_version_ids", {}),
        ("tag_resource", {"Tags": []}),
        ("untag_resource", {"TagKeys": []}),
        ("get_resource_policy", {}),
    ]:
        call = getattr(other, operation)
        assert refusal(call, name, parameters) == refusal(call, absent, parameters)
        theirs, nobodys = made["ARN"], made["ARN"].replace(name, absent)
        assert refusal(call, theirs, parameters) == refusal(call, nobodys, parameters)
    assert listed(other) == []
    # Both may use one name.
    other.create_secret(Name=name, SecretString="theirs")
    assert (value(secrets, name), value(other, name)) == ("first", "theirs")
    other.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert value(secrets, name) == "first"


def test_keys_that_are_none(secrets_of, server, made, name):
    for key, code in [
        (Key("AKIAIOSFODNN7EXAMPLE", server.key.secret), "UnrecognizedClientException"),
        (Key(server.key.id, "not the secret"), "InvalidSignatureException"),
    ]:
        assert error(secrets_of(key).get_secret_value, SecretId=name) == code
    reader = secrets_of(server.create_key("home", "--read-only"))
    assert value(reader, name) == "first"
    refused = error(reader.put_secret_value, SecretId=name, SecretString="x")
    assert refused == "AccessDeniedException"


def test_nothing_of_a_secret_is_in_a_file_or_a_log(secrets, unchecked, server, name):
    sent = {
        "name": f"{name}/{uuid.uuid4()}",
        "value": str(uuid.uuid4()),
        "bytes": str(uuid.uuid4()),
        "description": str(uuid.uuid4()),
        "tag": str(uuid.uuid4()),
    }
    secrets.create_secret(
        Name=sent["name"],
        SecretString=sent["value"],
        Description=sent["description"],
        Tags=[{"Key": sent["tag"], "Value": "x"}],
    )
    secrets.put_secret_value(SecretId=sent["name"], SecretBinary=sent["bytes"].encode())
    assert value(secrets, sent["name"], VersionStage="AWSPREVIOUS") == sent["value"]
    wrong = {"SecretString": sent["value"], "VersionStages": [""]}
    error(unchecked.put_secret_value, SecretId=sent["name"], **wrong)
    error(unchecked.create_secret, Name=sent["name"], SecretString=sent["value"])
    kept = [path.read_bytes() for path in server.directory.rglob("*") if path.is_file()]
    assert any(b"SQLite format 3" in file for file in kept)
    said = "".join(server.log).encode()
    for what, text in sent.items():
        for written in text.encode(), base64.b64encode(text.encode()), text.encode().hex().encode():
            assert not any(written in file for file in kept), what
            assert written not in said, what


# The command line.


def test_the_command_line(aws, name, tmp_path):
    def ask(operation, *arguments, **options):
        printed = aws("secretsmanager", operation, *arguments, **options)
        return printed if options.get("fails") else json.loads(printed or "{}")

    file = tmp_path / "value"
    file.write_bytes(noise(100))
    made = ask("create-secret", "--name", name, "--secret-binary", f"fileb://{file}")
    read = ask("get-secret-value", "--secret-id", made["ARN"])
    assert base64.b64decode(read["SecretBinary"]) == file.read_bytes()
    ask("put-secret-value", "--secret-id", name, "--secret-string", "text")
    read = ask("get-secret-value", "--secret-id", name, "--version-stage", "AWSCURRENT")
    assert read["SecretString"] == "text"
    ask("tag-resource", "--secret-id", name, "--tags", "Key=team,Value=blue")
    found = ask("list-secrets", "--filters", "Key=tag-value,Values=blue")["SecretList"]
    assert name in [secret["Name"] for secret in found]
    assert len(ask("get-random-password", "--password-length", "20")["RandomPassword"]) == 20
    ask("delete-secret", "--secret-id", name)
    said = ask("get-secret-value", "--secret-id", name, fails=True)
    assert "InvalidRequestException" in said
    ask("restore-secret", "--secret-id", name)
    ask("delete-secret", "--secret-id", name, "--force-delete-without-recovery")
    assert "ResourceNotFoundException" in ask("describe-secret", "--secret-id", name, fails=True)
