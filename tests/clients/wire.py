"""Requests byte by byte: a signer that can be told to sign wrongly, aws-chunked bodies piece by
piece, and connections that break off where a test says."""

import contextlib
import datetime
import hashlib
import hmac
import http.client
import socket
import ssl
import urllib.parse
import xml.etree.ElementTree
from dataclasses import dataclass

from server import REGION

UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_AND_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_AND_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def hmac_sha256(key, text):
    return hmac.digest(key, text.encode(), "sha256")


def target(bucket, key, **query):
    """Path and query, encoded as Signature Version 4 asks."""
    path = f"/{bucket}/" + urllib.parse.quote(key, safe="/-._~")
    pairs = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
    return f"{path}?{pairs}" if pairs else path


@dataclass
class Answer:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self):
        """The code of an S3 error."""
        return xml.etree.ElementTree.fromstring(self.body).findtext("Code")

    @property
    def refusal(self):
        return self.code, self.status


class Signature:
    """Signature Version 4 of one request, and of the chunks that follow it."""

    def __init__(self, key, at=None, region=REGION, service="s3"):
        at = at or datetime.datetime.now(datetime.UTC)
        self.id = key.id
        self.stamp = at.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.stamp[:8]}/{region}/{service}/aws4_request"
        self.key = f"AWS4{key.secret}".encode()
        for step in self.scope.split("/"):
            self.key = hmac_sha256(self.key, step)

    def headers(self, method, target, headers, payload):
        """The headers with what signs them all."""
        signed = headers | {"x-amz-date": self.stamp, "x-amz-content-sha256": payload}
        names = sorted(name.lower() for name in signed)
        lower = {name.lower(): value for name, value in signed.items()}
        lines = "".join(f"{name}:{lower[name].strip()}\n" for name in names)
        self.seed = self._sign(method, target, lines, ";".join(names), payload)
        credential = f"AWS4-HMAC-SHA256 Credential={self.id}/{self.scope}"
        fields = f"SignedHeaders={';'.join(names)}, Signature={self.seed}"
        return signed | {"authorization": f"{credential}, {fields}"}

    def presigned(self, method, target, host, expires=60, **query):
        """The target with a query that signs it for this host."""
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.id}/{self.scope}",
            "X-Amz-Date": self.stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": "host",
        } | query
        target += "?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        signature = self._sign(method, target, f"host:{host}\n", "host", UNSIGNED)
        return f"{target}&X-Amz-Signature={signature}"

    def chunks(self, pieces, spoil=None, followed=False):
        """Signed chunks, the empty last one included; `spoil` is the number of one whose signature
        is another's, and `followed` says that a trailer will come."""
        before = self.seed
        encoded = b""
        for number, piece in enumerate([*pieces, b""]):
            before = self._chain("PAYLOAD", before, sha256(b"") + "\n" + sha256(piece))
            shown = before if number != spoil else before[::-1]
            encoded += b"%x;chunk-signature=%s\r\n%s" % (len(piece), shown.encode(), piece)
            encoded += b"\r\n" if piece else b""
        self.last = before
        return encoded if followed else encoded + b"\r\n"

    def trailer(self, name, value, spoil=False):
        """What follows the last of the signed chunks."""
        signature = self._chain("TRAILER", self.last, sha256(f"{name}:{value}\n".encode()))
        shown = signature[::-1] if spoil else signature
        return f"{name}:{value}\r\nx-amz-trailer-signature:{shown}\r\n\r\n".encode()

    def _chain(self, what, before, rest):
        lines = [f"AWS4-HMAC-SHA256-{what}", self.stamp, self.scope, before, rest]
        return hmac_sha256(self.key, "\n".join(lines)).hex()

    def _sign(self, method, target, lines, names, payload):
        path, _, query = target.partition("?")
        pairs = sorted(pair.split("=", 1) for pair in query.split("&") if pair)
        query = "&".join("=".join(pair) for pair in pairs)
        canonical = "\n".join([method, path, query, lines, names, payload])
        text = ["AWS4-HMAC-SHA256", self.stamp, self.scope, sha256(canonical.encode())]
        return hmac_sha256(self.key, "\n".join(text)).hex()


class Wire:
    """Speaks to one server with one key."""

    def __init__(self, server, key):
        self.server = server
        self.key = key
        self.host = server.address

    def signature(self, **parameters):
        return Signature(self.key, **parameters)

    def send(self, method, target, body=b"", headers={}, payload=UNSIGNED, **signing):
        """A signed request."""
        headers = {"host": self.host} | headers
        signed = self.signature(**signing).headers(method, target, headers, payload)
        return self.send_as(method, target, body, signed)

    def send_as(self, method, target, body=b"", headers={}):
        """A request as it is given; only the body's length is added."""
        length = {} if self._is_framed(headers) else {"content-length": str(len(body))}
        with self.connected() as stream:
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                # Who is refused early may find that nobody reads any more.
                stream.sendall(self.head(method, target, {"host": self.host} | length | headers))
                stream.sendall(body)
            return self.answer(stream, method)

    def head(self, method, target, headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()

    @contextlib.contextmanager
    def connected(self):
        host, port = self.host.split(":")
        with socket.create_connection((host, int(port))) as stream:
            context = self.server.tls_context()
            if context is None:
                yield stream
            else:
                with context.wrap_socket(stream, server_hostname=host) as sealed:
                    yield sealed

    def answer(self, stream, method):
        answer = http.client.HTTPResponse(stream, method=method)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())

    def _is_framed(self, headers):
        return {"content-length", "transfer-encoding"} & {name.lower() for name in headers}
