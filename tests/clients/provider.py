"""A small OpenID provider that signs real tokens, for whoever it is told to."""

import base64
import hashlib
import itertools
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID = "bulkhead"
CLIENT_SECRET = "the+secret/of=the-client"


class Provider:
    """Runs from `start` to `stop`."""

    def start(self):
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._codes = {}
        self._numbers = itertools.count()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer(*provider._published(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
                self._answer(*provider._exchange(self.path, self.headers["Authorization"], form))

            def _answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def settings(self, name):
        """How a gateway is told of it."""
        return (
            f'[[oidc]]\nname = "{name}"\nissuer = "{self.issuer}"\nclient_id = "{CLIENT_ID}"\n'
        )

    def token(self, subject, audience, lasts=300, **claims):
        now = int(time.time())
        said = {"iss": self.issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + lasts}
        return self._signed({"alg": "RS256", "typ": "JWT", "kid": "first"}, said | claims)

    def unsigned(self, subject, audience):
        claims = {"iss": self.issuer, "sub": subject, "aud": audience, "exp": time.time() + 300}
        return f"{encoded({'alg': 'none'})}.{encoded(claims)}."

    def approve(self, authorization_url, subject):
        """Lets somebody in: the code and state that the browser goes back with."""
        url = urllib.parse.urlsplit(authorization_url)
        assert url.path == "/authorize"
        asked = dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))
        assert asked["client_id"] == CLIENT_ID and asked["code_challenge_method"] == "S256"
        code = f"code-{next(self._numbers)}"
        self._codes[code] = subject, asked
        return code, asked["state"]

    def _published(self, path):
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
            }
        if path == "/keys":
            public = self._key.public_key().public_numbers()
            number = lambda n: unpadded(n.to_bytes((n.bit_length() + 7) // 8, "big"))
            key = {"kty": "RSA", "kid": "first", "use": "sig", "n": number(public.n)}
            return 200, {"keys": [key | {"e": number(public.e)}]}
        return 404, {}

    def _exchange(self, path, authorization, form):
        secret = urllib.parse.quote_plus(CLIENT_SECRET)
        basic = base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()
        if path != "/token" or authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        subject, asked = self._codes.pop(form["code"], (None, {}))
        challenge = unpadded(hashlib.sha256(form["code_verifier"].encode()).digest())
        if asked.get("code_challenge") != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        token = self.token(subject, CLIENT_ID, nonce=asked["nonce"])
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def _signed(self, header, claims):
        message = f"{encoded(header)}.{encoded(claims)}"
        signature = self._key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{message}.{unpadded(signature)}"


def encoded(document):
    return unpadded(json.dumps(document).encode())


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
