#!/usr/bin/env python3
"""Times what a stranger could tell known from unknown e-mails by: 300 samples each, one after the other in turns.

    benches/enumeration.py target/release/mainstay [SAMPLES]

Starts the program on an app of its own, makes 30 accounts, and compares the medians of sign-in, password/forgot, code/request
and sign-up (with verify_email). Ends with 1 where they differ by more than 5 %.
"""

import http.client
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SETTINGS = '[server]\ntrusted_proxies = ["127.0.0.1"]\n[limits]\n"/auth/*" = []\n'
USERS = """
[auth]
verify_email = true
methods = ["password", "email_code"]
[fields]
name = { type = "string" }
"""
PASSWORD = "correct horse battery"


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    samples = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    with tempfile.TemporaryDirectory() as directory:
        app = pathlib.Path(directory)
        (app / "resources").mkdir()
        (app / "mainstay.toml").write_text(SETTINGS)
        (app / "resources/users.toml").write_text(USERS)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {"MAINSTAY_SERVER__LISTEN": f"127.0.0.1:{port}", "MAINSTAY_SERVICES__MAIL": "file:mail"}
        subprocess.run([program, "migrate", "apply"], cwd=app, env=environment, check=True, capture_output=True)
        log = open(app / "log", "w")
        server = subprocess.Popen([program, "serve"], cwd=app, env=environment, stdout=log, stderr=log)
        try:
            sys.exit(measure(app, port, samples))
        finally:
            server.terminate()
            server.wait()


class Client:
    """One connection; each call from an address of its own, as far as the server knows."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.calls = 0

    def post(self, path, body):
        self.calls += 1
        address = f"10.{self.calls >> 16 & 255}.{self.calls >> 8 & 255}.{self.calls & 255}"
        headers = {"Content-Type": "application/json", "X-Forwarded-For": address}
        start = time.perf_counter()
        self.connection.request("POST", path, json.dumps(body), headers)
        reply = self.connection.getresponse()
        text = reply.read()
        return time.perf_counter() - start, reply.status, text


def ready(port):
    for _ in range(200):
        try:
            return Client(port).post("/auth/sign-in", {"email": "x@example.org", "password": "x"})
        except OSError:
            time.sleep(0.1)
    sys.exit("the server does not start")


def measure(app, port, samples):
    ready(port)
    client = Client(port)
    known = [f"known{number}@example.org" for number in range(30)]
    for email in known:
        ticket = json.loads(client.post("/auth/sign-up", {"email": email, "password": PASSWORD})[2])["ticket"]
        assert client.post("/auth/email/verify", {"ticket": ticket, "code": code(app, email)})[1] == 201
    worst = 0
    for path in ["/auth/sign-in", "/auth/password/forgot", "/auth/code/request", "/auth/sign-up"]:
        times, statuses = ([], []), set()
        for number in range(samples):
            emails = [known[number % len(known)], f"other{number % len(known)}@example.org"]
            for kind in [(0, 1), (1, 0)][number % 2]:
                body = {"email": emails[kind]}
                if path in ("/auth/sign-in", "/auth/sign-up"):
                    body["password"] = "a wrong password"
                taken, status, _ = client.post(path, body)
                times[kind].append(taken)
                statuses.add(status)
        medians = [statistics.median(one) * 1000 for one in times]
        difference = abs(medians[0] - medians[1]) / max(medians) * 100
        worst = max(worst, difference)
        print(f"{path:24} {statuses} known {medians[0]:7.2f} ms, unknown {medians[1]:7.2f} ms, difference {difference:4.1f} %")
    return int(worst > 5)


def code(app, email):
    for _ in range(100):
        for mail in (app / "mail").glob("*.eml"):
            text = mail.read_text()
            found = re.search(r"^(\d{6})$", text, re.M)
            if text.startswith(f"To: {email}\n") and found:
                return found[1]
        time.sleep(0.05)
    sys.exit(f"no mail to {email}")


main()
