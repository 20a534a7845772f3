"""Gives calls under /auth what only the server can give out: a session to end, a ticket with its code, an id that is there.

Half of the cases that are as the document says are completed so; the others, and all that are not, stay as the fuzzer made
them. A signed-in caller gets a person and a session of its own for each call that changes anything, so that a sign-out, a
deletion or a changed password takes nothing away from the cases after it.
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import re
import struct
import threading
import time
import urllib.error
import urllib.request

BASE = os.environ.get("CONFORMANCE_BASE", "")
ORIGIN = os.environ.get("CONFORMANCE_ORIGIN", "")
# The token with which the fuzzer was started; another one takes its place.
TOKEN = os.environ.get("CONFORMANCE_TOKEN", "")
ADMIN = os.environ.get("CONFORMANCE_ADMIN", "")
MAILS = pathlib.Path(os.environ.get("CONFORMANCE_MAILS", "/nowhere"))
PASSWORD = "a password that the fuzzer knows"

counter = itertools.count(1)
lock = threading.Lock()


def address():
    """An address that nobody else has."""
    with lock:
        number = next(counter)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stays)


def call(method, path, body=None, token=None):
    """What the server answers: status, headers and JSON."""
    headers = {"X-Forwarded-For": address(), "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    try:
        answer = opener.open(request, timeout=20)
    except urllib.error.HTTPError as refused:
        answer = refused
    text = answer.read()
    return answer.status, answer.headers, json.loads(text) if text else None


class Person:
    """Somebody who has just signed up."""

    def __init__(self):
        with lock:
            number = next(counter)
        self.email = f"person-{number}@fuzzer.example"
        body = {"email": self.email, "password": PASSWORD, "name": "Somebody"}
        status, _, answer = call("POST", "/auth/sign-up", body)
        assert status == 201, answer
        self.token, self.refresh = answer["access_token"], answer["refresh_token"]

    def ask(self, method, path, body=None):
        status, _, answer = call(method, path, body, self.token)
        assert status < 300, (path, answer)
        return answer

    def mail(self, pattern):
        """What the newest mail to this person has of a pattern."""
        return mailed(self.email, pattern)

    def app(self):
        """An authenticator app that waits for its first code, and that code."""
        secret = base64.b32decode(padded(self.ask("POST", "/auth/totp/enroll")["secret"]))
        digest = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def padded(text):
    return text + "=" * (-len(text) % 8)


def mailed(email, pattern):
    until = time.monotonic() + 5
    while time.monotonic() < until:
        for file in sorted(MAILS.glob("*.eml"), reverse=True)[:40]:
            text = file.read_text(errors="replace")
            if f"To: {email}" in text or f"To: <{email}>" in text:
                found = re.search(pattern, text, re.M)
                if found:
                    return found[1]
        time.sleep(0.02)
    raise AssertionError(f"no mail came to {email}")


CODE = r"^(\d{6})\s*$"


def complete(case, person):
    """Puts into a case what makes it go through."""
    where = f"{case.method.upper()} {case.operation.path}"
    body = case.body if isinstance(case.body, dict) else {}
    if where == "POST /auth/sign-up":
        case.body = {**{name: value for name, value in body.items() if name not in ("invite", "id")},
                     "email": f"new-{person.email}", "password": PASSWORD}
    elif where == "POST /auth/sign-in":
        case.body = {"email": person.email, "password": PASSWORD}
    elif where == "POST /auth/mfa/verify":
        codes = person.ask("POST", "/auth/totp/confirm", {"code": person.app()})["recovery_codes"]
        answer = person.ask("POST", "/auth/sign-in", {"email": person.email, "password": PASSWORD})
        case.body = {"mfa_token": answer["mfa_token"], "code": codes[0], "factor": "recovery_code"}
    elif where == "POST /auth/refresh":
        case.body = {**body, "refresh_token": person.refresh}
    elif where == "POST /auth/reauth":
        case.body = {"password": PASSWORD}
    elif where == "POST /auth/password/change":
        case.body = {**body, "current_password": PASSWORD}
    elif where == "POST /auth/password/reset":
        call("POST", "/auth/password/forgot", {"email": person.email})
        case.body = {**body, "secret": person.mail(r"#(?:secret=)?([A-Za-z0-9_-]{40,})")}
    elif where == "POST /auth/code/verify":
        ticket = call("POST", "/auth/code/request", {"email": person.email})[2]["ticket"]
        case.body = {"ticket": ticket, "code": person.mail(CODE)}
    elif where == "POST /auth/email/verify" and body:
        ticket = person.ask("POST", "/auth/email/verify")["ticket"]
        case.body = {"ticket": ticket, "code": person.mail(CODE)}
    elif where == "POST /auth/email/change" and "ticket" in body and body["ticket"] is not None:
        to = f"other-{person.email}"
        ticket = person.ask("POST", "/auth/email/change", {"email": to})["ticket"]
        case.body = {"ticket": ticket, "code": mailed(to, CODE)}
    elif where == "POST /auth/totp/confirm":
        case.body = {"code": person.app()}
    elif where == "POST /auth/recovery-codes":
        person.ask("POST", "/auth/totp/confirm", {"code": person.app()})
    elif where == "DELETE /auth/factors/{id}":
        person.ask("POST", "/auth/totp/confirm", {"code": person.app()})
        case.path_parameters["id"] = person.ask("GET", "/auth/factors")["items"][0]["id"]
    elif where == "DELETE /auth/sessions/{id}":
        person.ask("POST", "/auth/sign-in", {"email": person.email, "password": PASSWORD})
        case.path_parameters["id"] = person.ask("GET", "/auth/sessions")["items"][-1]["id"]
    elif where == "DELETE /auth/keys/{id}":
        key = person.ask("POST", "/auth/keys", {"name": "one", "scopes": ["*:read"]})
        case.path_parameters["id"] = key["id"]
    elif where == "DELETE /auth/invites/{id}":
        invite = call("POST", "/auth/invites", {"email": f"guest-{person.email}"}, ADMIN)[2]
        case.path_parameters["id"] = invite["id"]


class Dress:
    """Headers that a request gets last of all."""

    def __init__(self, forwarded_for):
        self.more = {"X-Forwarded-For": forwarded_for}
        self.token = None

    def __call__(self, request):
        request.headers.update(self.more)
        # Only where the fuzzer itself says who it is: it also looks what happens when it doesn't.
        if self.token and request.headers.get("Authorization") == f"Bearer {TOKEN}":
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def begun(dress):
    """The state of a sign-in with a provider that was begun by this browser."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).decode().rstrip("=")
    query = f"return_to=http://127.0.0.1:9/in&code_challenge={challenge}"
    _, answer, _ = call("GET", f"/auth/oauth/github?{query}")
    dress.more["Cookie"] = answer["Set-Cookie"].split(";")[0]
    return re.search(r"[?&]state=([^&]+)", answer["Location"])[1]


def prepare(case, dress, positive):
    """Before a call: who makes it, and with what."""
    where, half = f"{case.method.upper()} {case.operation.path}", next(counter) % 2 == 0
    if not TOKEN:
        return
    if positive and where == "GET /auth/oauth/{name}/callback":
        query = case.query if isinstance(case.query, dict) else {}
        # Without an error the provider would be asked, which is not there.
        case.query = {**query, "state": begun(dress), "error": query.get("error") or "access_denied"}
        return
    if "/auth/invites" in where:
        dress.token = ADMIN
    if case.method.upper() == "GET":
        return
    person = Person()
    dress.token = dress.token or person.token
    if positive and half:
        complete(case, person)
        if case.headers and case.headers.get("Mainstay-Session") == "cookie":
            dress.more["Origin"] = ORIGIN
