"""A third party that speaks OAuth 1.0a as PyPI's oauthlib checks it: its resource takes only requests that oauthlib finds valid,
its three endpoints hand out tokens, and people log in with any name and allow it or not. The resource tells who that was.
Prints its port, then one line of JSON for each refusal; /seen tells what was checked."""
import html
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from oauthlib.oauth1 import RequestValidator, WebApplicationServer

APP, SECRET, TOKEN, TOKEN_SECRET = sys.argv[1:5]
REALM = "Boards_1 SB"
METHODS = ("HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT")
LOGIN = """<!doctype html><html lang="en"><title>Boards</title><h1>Log in to Boards</h1><form method="post" action="/authorize">
<input type="hidden" name="oauth_token" value="{token}"><label>Name <input name="user" required></label>
<button name="answer" value="allow">Allow</button><button name="answer" value="deny" formnovalidate>Deny</button></form>"""


class Validator(RequestValidator):
    """One app, one customer."""

    allowed_signature_methods = METHODS
    enforce_ssl = False
    realms = [REALM]
    safe_characters = set(map(chr, range(33, 127)))
    client_key_length = request_token_length = access_token_length = (1, 100)
    nonce_length = (20, 64)
    verifier_length = (1, 100)
    timestamp_lifetime = 600
    dummy_client = "nobody"
    dummy_request_token = dummy_access_token = "nothing"

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.nonces, self.temporary, self.tokens, self.users = set(), {}, {TOKEN: TOKEN_SECRET}, {}
        self.replayed = 0

    def check_realms(self, realms):
        return set(realms) <= set(REALM.split())

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        with self.lock:
            seen = nonce in self.nonces
            self.nonces.add(nonce)
            self.replayed += seen
        return not seen

    def validate_client_key(self, client_key, request):
        return client_key == APP

    def get_client_secret(self, client_key, request):
        return SECRET

    def get_rsa_key(self, client_key, request):
        return None

    def validate_request_token(self, client_key, token, request):
        return token in self.temporary

    def get_request_token_secret(self, client_key, token, request):
        return self.temporary.get(token, {}).get("oauth_token_secret", "")

    def validate_access_token(self, client_key, token, request):
        return token in self.tokens

    def get_access_token_secret(self, client_key, token, request):
        return self.tokens.get(token, "")

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return realms in (None, [], [REALM])

    def validate_requested_realms(self, client_key, realms, request):
        return True

    def get_default_realms(self, client_key, request):
        return [REALM]

    def get_realms(self, token, request):
        return [REALM]

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return True

    def get_redirect_uri(self, token, request):
        return self.temporary[token]["callback"]

    def save_request_token(self, token, request):
        self.temporary[token["oauth_token"]] = {**token, "callback": request.redirect_uri}

    def verify_request_token(self, token, request):
        return token in self.temporary

    def verify_realms(self, token, realms, request):
        return True

    def save_verifier(self, token, verifier, request):
        self.temporary[token]["verifier"] = verifier["oauth_verifier"]

    def validate_verifier(self, client_key, token, verifier, request):
        return self.temporary[token].get("verifier") == verifier

    def invalidate_request_token(self, client_key, request_token, request):
        del self.temporary[request_token]

    def save_access_token(self, token, request):
        self.tokens[token["oauth_token"]] = token["oauth_token_secret"]
        self.users[token["oauth_token"]] = self.temporary[request.resource_owner_key]["user"]


validator = Validator()
server = WebApplicationServer(validator)
counts = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers, body):
        body = (body or "").encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def dispatch(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        headers = dict(self.headers.items())
        uri = f"http://{self.headers['Host']}{self.path}"
        path = urlsplit(self.path).path
        if path == "/seen":
            told = {"nonces": len(validator.nonces), "replayed": validator.replayed, "valid": counts}
            return self.answer(200, {"Content-Type": "application/json"}, json.dumps(told))
        if path == "/request":
            headers, body, status = server.create_request_token_response(uri, self.command, body, headers)
            return self.answer(status, headers, body)
        if path == "/authorize" and self.command == "GET":
            token = parse_qs(urlsplit(self.path).query)["oauth_token"][0]
            return self.answer(200, {"Content-Type": "text/html"}, LOGIN.format(token=html.escape(token)))
        if path == "/authorize":
            return self.answer(*self.authorized(uri, body, {key: value[0] for key, value in parse_qs(body).items()}))
        if path == "/access":
            headers, body, status = server.create_access_token_response(uri, self.command, body, headers)
            return self.answer(status, headers, body)
        valid, request = server.validate_protected_resource_request(uri, self.command, body, headers, realms=None)
        method = request.signature_method
        if valid:
            counts[method] = counts.get(method, 0) + 1
        else:
            print(json.dumps({"refused": self.path, "headers": headers, "body": body[:200]}), flush=True)
        told = {"valid": valid, "user": validator.users.get(request.resource_owner_key)}
        self.answer(200 if valid else 401, {"Content-Type": "application/json"}, json.dumps(told))

    def authorized(self, uri, body, said):
        """What somebody who logged in is answered. Where it is not allowed, as Twitter says it; no standard says how."""
        temporary = validator.temporary[said["oauth_token"]]
        if said["answer"] == "deny":
            return 302, {"Location": f"{temporary['callback']}&{urlencode({'denied': said['oauth_token']})}"}, None
        temporary["user"] = said["user"]
        headers, body, status = server.create_authorization_response(uri, "POST", body, {
            "Content-Type": "application/x-www-form-urlencoded"}, realms=[REALM])
        return status, headers, body

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = dispatch

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


third_party = Server(("127.0.0.1", 0), Handler)
print(third_party.server_address[1], flush=True)
third_party.serve_forever()
