"""A Mainstay app in a scratch folder, on a database of its own: its commands, its server, and how to kill it."""
import http.client
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse


class Site:
    """`database` is a URL: `sqlite:data/app.db` (in the app's folder) or `postgres://…`, which is made afresh."""

    def __init__(self, binary, app, folder, database, port):
        self.binary, self.folder, self.database, self.port = os.path.abspath(binary), folder, database, port
        self.process, self.log = None, open(f"{folder}.log", "a")
        shutil.rmtree(folder, ignore_errors=True)
        if app:
            shutil.copytree(app, folder, ignore=shutil.ignore_patterns("data", "seed"))
        else:
            os.makedirs(os.path.join(folder, "resources"))
        self.environment = {**os.environ, "MAINSTAY_AUTH__MASTER_KEY": "a master key for faults and nothing else",
                            "MAINSTAY_SERVER__LISTEN": f"127.0.0.1:{port}",
                            "MAINSTAY_SERVICES__DATABASE": database}
        if self.postgres:
            self.psql(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)', f'CREATE DATABASE "{self.name}"')

    @property
    def postgres(self):
        return self.database.startswith("postgres")

    @property
    def name(self):
        """The PostgreSQL database's name, of letters, digits and `_` alone, since it goes into statements."""
        name = urllib.parse.urlsplit(self.database).path.strip("/")
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name in ("postgres", "template0", "template1"):
            raise SystemExit(f"name a scratch database in lower case, not `{name}`: it is dropped and made afresh")
        return name

    def psql(self, *statements):
        """Runs statements beside the database, one transaction each; the last one's output."""
        url = urllib.parse.urlsplit(self.database)._replace(path="/postgres").geturl()
        for statement in statements:
            done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", url, "-c", statement],
                                  capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"psql: {done.stderr}")
        return done.stdout.strip()

    def wait_for_backends(self):
        """A killed client's PostgreSQL session may still be ending; waits until none is left."""
        end = time.monotonic() + 30
        count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.name}'" if self.postgres else None
        while count and self.psql(count) != "0":
            if time.monotonic() > end:
                raise SystemExit("PostgreSQL still has sessions of the killed process after 30 s")
            time.sleep(0.02)

    def spawn(self, *arguments):
        return subprocess.Popen([self.binary, *arguments], cwd=self.folder, env=self.environment,
                                stdout=self.log, stderr=self.log)

    def run(self, *arguments, good=(0,)):
        """A command's (exit code, standard output); ends the script where the code is none of `good`."""
        done = subprocess.run([self.binary, *arguments], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=120)
        if done.returncode not in good:
            raise SystemExit(f"`mainstay {' '.join(arguments)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.returncode, done.stdout

    def start(self, patience=30):
        """Starts the server; milliseconds until it was ready."""
        begin = time.monotonic()
        self.process = self.spawn("serve")
        while time.monotonic() - begin < patience:
            if self.process.poll() is not None:
                break
            try:
                if self.get("/readyz")[0] == 200:
                    return (time.monotonic() - begin) * 1000
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.005)
        self.kill()
        raise SystemExit(f"the server was not ready after {patience} s; see {self.folder}.log")

    def start_anyhow(self, patience=10):
        """Starts the server and waits until it answers at all, ready or not."""
        self.process = self.spawn("serve")
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                self.get("/livez")
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
        raise SystemExit(f"the server does not answer; see {self.folder}.log")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SystemExit("the server did not stop within 15 s of SIGTERM") from None

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def get(self, path, connection=None):
        """(status, JSON) of a GET."""
        return ask(connection or self.connect(), "GET", path)

    def all(self, resource):
        """Every record, through cursor pages."""
        connection, cursor = self.connect(), ""
        while cursor is not None:
            more = f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""
            status, page = self.get(f"/api/{resource}?limit=200{more}", connection)
            if status != 200:
                raise SystemExit(f"listing {resource}: {status} {page}")
            yield from page["items"]
            cursor = page["next"]


def ask(connection, method, path, body=None):
    """(status, JSON or None) on a connection that may be used again."""
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    content = response.read()
    is_json = "json" in (response.getheader("Content-Type") or "")
    return response.status, json.loads(content) if content and is_json else None
