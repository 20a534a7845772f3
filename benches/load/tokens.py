"""Tokens for W4: one that near-limit's secret signs, and one that Mainstay gives to a person who signs in."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import time

SECRET = "a secret of the benchmark alone"
PASSWORD = "a password of the benchmark alone"
HOURS = 12


def mint(path, user):
    """Writes a token for near-limit (HS256), good for some hours."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    now = int(time.time())
    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = part(json.dumps({"sub": str(user), "iat": now, "exp": now + HOURS * 3600}).encode())
    signature = part(hmac.new(SECRET.encode(), head + b"." + body, hashlib.sha256).digest())
    write(path, (head + b"." + body + b"." + signature).decode())


def sign_in(path, binary, app, port, user):
    """Writes the access token of a user of Mainstay: an operator's link sets the password, and the user signs in."""
    made = subprocess.run([binary, "user", "password", str(user), "--json"], cwd=app, check=True, stdout=subprocess.PIPE)
    link = next(value for value in json.loads(made.stdout).values() if isinstance(value, str) and "#" in value)
    call(port, "/auth/password/reset", json.dumps({"secret": link.split("#")[1], "password": PASSWORD}))
    answer = json.loads(call(port, "/auth/sign-in", credentials(user)))
    write(path, answer["access_token"])


def credentials(user):
    return json.dumps({"email": f"user{user}@bench.example", "password": PASSWORD})


def call(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status not in (200, 204):
            raise RuntimeError(f"{path}: {response.status} {content[:300]!r}")
        return content
    finally:
        connection.close()


def write(path, token):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(token + "\n")
