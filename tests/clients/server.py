"""The real program, on free ports over a temporary directory, and the keys that it hands out."""

import ctypes
import json
import os
import pathlib
import shlex
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import trustme

REGION = "us-east-1"
OPERATOR_TOKEN = "the-token-of-the-operator-in-tests"
PASSWORD = "correct horse battery staple"
REPOSITORY = pathlib.Path(__file__).parents[2]


@dataclass(frozen=True)
class Key:
    """An access key."""

    id: str
    secret: str


class Server:
    """Runs from `start` to `stop`."""

    def __init__(self, directory, tls):
        self.directory = directory
        self.ca = None
        self.binary = os.environ.get("BULKHEAD_TEST_BINARY")
        assert self.binary, "BULKHEAD_TEST_BINARY names the program to test; tests/run sets it"
        self.settings = {
            "BULKHEAD_DATA_DIR": directory / "data",
            "BULKHEAD_ROOT_FILE": directory / "root.key",
            "BULKHEAD_AUDIT_CHECKPOINT_FILE": directory / "checkpoints.jsonl",
            "BULKHEAD_API_LISTEN": "127.0.0.1:0",
            "BULKHEAD_CONTROL_LISTEN": "127.0.0.1:0",
            "BULKHEAD_CONTROL_OPERATOR_TOKEN": OPERATOR_TOKEN,
            "BULKHEAD_LOG_FORMAT": "json",
        }
        if tls:
            self.settings["BULKHEAD_API_TLS_DIR"] = self._make_certificates()

    def start(self):
        printed = self.directory / "printed"
        with printed.open("wb") as output:
            self.process = subprocess.Popen(
                [self.binary, "serve"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                preexec_fn=_die_with_parent,
                text=True,
            )
        self.log = []
        self._ended = False
        self._listening = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._read_log, daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_open() or self._ended)
        assert self._is_open(), "the server ended before it listened:\n" + "".join(self.log)
        self._await_ready()
        exports = dict(
            shlex.split(line.removeprefix("export "))[0].split("=", 1)
            for line in printed.read_text().splitlines()
            if line.startswith("export ")
        )
        self.key = Key(exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"])

    def stop(self):
        """Stops it, and asserts that it had nothing to complain about."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0, "".join(self.log)
        with self._changed:
            self._changed.wait_for(lambda: self._ended)
        errors = [line for line in self.log if json.loads(line)["level"] == "ERROR"]
        assert not errors, "".join(errors)

    @property
    def address(self):
        """Host and port of the S3 door."""
        return self._listening["api"]

    @property
    def endpoint(self):
        scheme = "https" if self.ca else "http"
        return f"{scheme}://{self.address}"

    @property
    def control(self):
        """Where `/api/v1` is."""
        return f"http://{self._listening['control']}"

    def ask(self, token, method, path, body=None):
        """Asks `/api/v1` for something that has to succeed."""
        request = urllib.request.Request(
            f"{self.control}/api/v1{path}",
            method=method,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error
        return json.loads(text) if text else None

    def sign_up(self, email):
        """Makes an account with its personal organization, and a session in that."""
        account = {"email": email, "name": "Somebody", "password": PASSWORD}
        self.ask(OPERATOR_TOKEN, "POST", "/operator/accounts", account)
        return self.ask("", "POST", "/sessions", {"email": email, "password": PASSWORD})

    def tls_context(self):
        return ssl.create_default_context(cafile=self.ca) if self.ca else None

    def create_organization(self, slug):
        """Makes an organization and a key for it."""
        made = self.command("org", "create", slug, "--json")
        return self.create_key(made["slug"])

    def create_key(self, slug, *arguments):
        made = self.command("key", "create", "--org", slug, "--json", *arguments)
        return Key(made["id"], made["secret"])

    def command(self, *arguments):
        """Runs a command that answers with JSON."""
        done = subprocess.run(
            [self.binary, *arguments], env=self._environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _environment(self):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BULKHEAD_")}
        return inherited | {name: str(value) for name, value in self.settings.items()}

    def _make_certificates(self):
        authority = trustme.CA()
        self.ca = str(self.directory / "authority.pem")
        authority.cert_pem.write_to_path(self.ca)
        folder = self.directory / "tls"
        folder.mkdir()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_pem.write_to_path(folder / "server.key")
        for link in certificate.cert_chain_pems:
            link.write_to_path(folder / "server.crt", append=True)
        return folder

    def _read_log(self):
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line)
                event = json.loads(line) if line.startswith("{") else {}
                if event.get("message", "").endswith(" listens"):
                    self._listening[event["message"].removesuffix(" listens")] = event["address"]
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _is_open(self):
        return {"api", "control"} <= self._listening.keys()

    def _await_ready(self):
        url = f"http://{self._listening['control']}/readyz"
        while True:
            try:
                with urllib.request.urlopen(url):
                    return
            except urllib.error.HTTPError:
                time.sleep(0.01)


def _die_with_parent():
    """No server outlives its tests, however these end: PR_SET_PDEATHSIG of prctl(2)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
