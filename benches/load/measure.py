"""Starts servers on one core and loads them from another; one dict per measurement.

All servers of a round run side by side, and a workload goes through them one after the other, so that what is
compared was measured seconds apart. An idle server costs the others nothing. Only processes that were started
here are stopped.
"""
import http.client
import json
import os
import re
import signal
import subprocess
import time

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER_CORE, CLIENT_CORE = 0, 1


class Server:
    """One server under test. `workloads` maps a name to its request files (see load.lua) and connections."""

    def __init__(self, name, command, port, ready, workloads, size, cwd=None, environment=None, prepare=None, sign_in=None,
                 beside=None):
        self.name, self.command, self.port, self.ready = name, command, port, ready
        self.workloads, self.size, self.cwd = workloads, size, cwd
        self.environment, self.prepare, self.sign_in = environment or {}, prepare, sign_in
        # The ids of processes that work for it without being its own: a database's.
        self.beside = beside or (lambda: [])
        self.process, self.log = None, None

    def start(self, log_path, nice):
        """Starts it on fresh data; milliseconds until it gave its first answer."""
        if self.prepare:
            self.prepare()
        self.log = open(log_path, "w")
        begin = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *self.command], cwd=self.cwd, env={**os.environ, **self.environment},
            stdout=self.log, stderr=self.log, start_new_session=True)
        if nice:
            machine.prioritise(self.process.pid, nice)
        while time.monotonic() - begin < 60:
            if self.process.poll() is not None:
                break
            if self.answers():
                return (time.monotonic() - begin) * 1000
            time.sleep(0.001)
        raise RuntimeError(f"{self.name} did not start; see {log_path}")

    def cpu_seconds(self):
        """(user, system) seconds that it has used, and what works for it."""
        own, beside = machine.cpu_seconds(self.process.pid), machine.cpu_seconds_of(self.beside())
        return own[0] + beside[0], own[1] + beside[1]

    def answers(self):
        try:
            return self.ask("GET", self.ready)[0] == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, token=None):
        """(status, JSON or None) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            is_json = "json" in (response.getheader("Content-Type") or "")
            return response.status, json.loads(content) if content and is_json else None
        finally:
            connection.close()

    def stop(self):
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()
        self.process = None


def check_answers(server):
    """Refuses to time wrong answers: each workload's first request is made once and looked at."""
    for name, load in server.workloads.items():
        with open(load["paths"]) as file:
            path = file.readline().strip()
        body = None
        if load.get("bodies"):
            with open(load["bodies"]) as file:
                body = file.readline().strip()
        token = None
        if load.get("token"):
            with open(load["token"]) as file:
                token = file.readline().strip()
            if server.ask("GET", path)[0] not in (401, 404):
                raise RuntimeError(f"{server.name} answers {name} without a token")
        status, answer = server.ask("POST" if body else "GET", path, body, token)
        kind = name.removesuffix("c1")
        good = {
            "W0": lambda: status == 200,
            "W1": lambda: status == 200 and answer["id"] == int(path.rsplit("/", 1)[1]) and len(answer["text"]) > 20,
            "W2": lambda: status == 200 and is_newest_first(answer),
            "W2x": lambda: status == 200 and is_newest_first(answer) and has_authors(answer),
            "W5": lambda: status in (200, 201) and len(answer if isinstance(answer, list) else answer["results"]) == 10,
            "W4": lambda: status == 200 and answer["id"] == int(path.rsplit("/", 1)[1]) and len(answer["text"]) > 20,
            "W3": lambda: status == 201 and answer["text"] == json.loads(body)["text"],
        }[kind]()
        if not good:
            raise RuntimeError(f"{server.name} answers {name} ({path}) wrongly: {status} {str(answer)[:300]}")


def is_newest_first(answer):
    items = answer["items"] if isinstance(answer, dict) else answer
    created = [item["created"] for item in items]
    rooms = {item.get("room", item.get("room_id")) for item in items}
    return len(items) == 20 and len(rooms) == 1 and created == sorted(created, reverse=True)


def has_authors(answer):
    items = answer["items"] if isinstance(answer, dict) else answer
    return all(item["expand"]["author"]["name"] == f"user{item.get('author', item.get('author_id'))}" for item in items)


def wrk(server, load, seconds, connections, seed, nice):
    """One run of wrk: requests, seconds, p50_us, p99_us, max_us, bad."""
    return finished(begin(server, load, seconds, connections, seed, nice), server, seconds)


def begin(server, load, seconds, connections, seed, nice):
    """Starts wrk."""
    environment = dict(os.environ, PATHS=load["paths"], SEED=str(seed), METHOD="POST" if load.get("bodies") else "GET")
    if load.get("bodies"):
        environment["BODIES"] = load["bodies"]
    if load.get("token"):
        environment["TOKEN"] = load["token"]
    client = subprocess.Popen(
        ["taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
         "-s", os.path.join(HERE, "load.lua"), f"http://127.0.0.1:{server.port}/"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    if nice:
        machine.prioritise(client.pid, nice)
    return client


def finished(client, server, seconds):
    """What wrk has measured, once it is done."""
    try:
        output, _ = client.communicate(timeout=seconds + 60)
    finally:
        client.kill()
    match = re.search(r"RESULT (\{.*\})", output)
    if not match:
        raise RuntimeError(f"wrk failed on {server.name}: {output}")
    return json.loads(match.group(1))


def measure(server, name, options, round_number):
    """One workload on one server; tried again while other processes take the server's core."""
    load = server.workloads[name]
    connections = load["connections"]
    seconds = options.seconds if connections > 1 else max(options.seconds // 2, 1)
    wrk(server, load, options.warmup, connections, 1000 + round_number, options.nice)
    best = None
    for attempt in range(options.retries + 1):
        machine.wait_until_quiet(SERVER_CORE, options.max_other, options.patience)
        used, busy = server.cpu_seconds(), machine.busy_seconds(SERVER_CORE)
        result = wrk(server, load, seconds, connections, round_number + 10 * attempt, options.nice)
        now = server.cpu_seconds()
        user, system = now[0] - used[0], now[1] - used[1]
        requests = max(result["requests"], 1)
        row = dict(
            server=server.name, workload=name, round=round_number, **result, rps=result["requests"] / result["seconds"],
            cpu_us=(user + system) * 1e6 / requests, user_us=user * 1e6 / requests,
            other_cpu=max(machine.busy_seconds(SERVER_CORE) - busy - user - system, 0) / result["seconds"])
        if best is None or row["other_cpu"] < best["other_cpu"]:
            best = row
        if row["other_cpu"] <= options.max_other:
            break
    return best
