"""What every client's suite stands on: a server over HTTP and one over TLS, a bucket for each
test, and files that are made once."""

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from server import REGION, Server

MIB = 1 << 20


@pytest.fixture(scope="session", params=["http", "https"])
def server(request, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), tls=request.param == "https")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def connect(server):
    """Makes boto3 clients; what they are asked is asked once, so that no retry hides a failure."""

    def connect(key=server.key, **config):
        return boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=REGION,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            verify=server.ca,
            config=Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config
            ),
        )

    return connect


@pytest.fixture(scope="session")
def s3(connect):
    return connect()


@pytest.fixture(scope="session")
def names():
    return (f"bucket-{number}" for number in itertools.count())


@pytest.fixture
def bucket(s3, names):
    name = next(names)
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def big(tmp_path_factory):
    """A file that every client uploads in parts."""
    path = tmp_path_factory.mktemp("files") / "big"
    path.write_bytes(noise(100 * 1000 * 1000))
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A small tree of files whose names a file system and every client can carry."""
    root = tmp_path_factory.mktemp("folder")
    for number, name in enumerate(FILE_NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(1000 * number, seed=number))
    return root


@pytest.fixture
def run(server, tmp_path):
    """Runs a client's program from the tests' environment, without this machine's settings."""

    def run(program, *arguments, fails=False, stdin=None, environment={}):
        done = subprocess.run(
            [Path(sys.executable).parent / program, *map(str, arguments)],
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
            | environment,
            # What a program leaves behind is no part of the suites.
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
        )
        said = (done.stderr + done.stdout).decode(errors="replace")
        assert (done.returncode != 0) == fails, said
        return said if fails else done.stdout

    return run


@pytest.fixture
def aws(server, run):
    """Runs the aws command line, which asks once."""

    def aws(*arguments, key=server.key, **options):
        environment = {
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if server.ca:
            environment["AWS_CA_BUNDLE"] = server.ca
        return run("aws", *arguments, environment=environment, **options)

    return aws


def noise(length, seed=0):
    """Bytes that look like chance and are the same in every run."""
    return random.Random(seed).randbytes(length)


def tree(root):
    """What is below a directory: each file's relative name and content."""
    files = (path for path in Path(root).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


SIZES = [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1]

FILE_NAMES = [
    "empty",
    "plain.txt",
    "with space",
    "deep/er/file",
    "plus+and%percent",
    "%2F",
    "ümlaut",
    "日本語/🦀",
    "a&b=c;d,e!(f)'g@h$i~j",
    "hash#tag",
    "long-" + "n" * 200,
]

ODD_KEYS = [
    *FILE_NAMES,
    " leading and trailing ",
    "double//slash",
    "/leading/slash",
    "trailing/slash/",
    "//",
    ".",
    "..",
    "../up",
    "down/../up",
    "./here",
    "question?mark",
    'quote"and<xml>&amp;',
    "back\\slash",
    "star*{brace}[bracket]^`|",
    "line\nbreak and\ttab",
    "\x01\x7f",
    "k" * 1024,
    "é" * 512,
]
