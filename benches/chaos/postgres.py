#!/usr/bin/env python3
"""Takes PostgreSQL away from under a server in every way, under load, and looks for what was lost or doubled.

    benches/chaos/postgres.py --mainstay target/dist/mainstay [--idempotency] [--only slow,stopped]

Makes a PostgreSQL cluster of its own (initdb, in a scratch folder, as the user `postgres` where this runs as root), reaches
it through a proxy of its own, and under load: stops it fast and at once and starts it again, kills it, slows it down, lets
the network swallow everything for a while, cuts every connection, takes all connections away, holds it still (SIGSTOP).
Meanwhile clients have to be told 503 with Retry-After (or be answered, if late), within 5 s where the network is silent; within 5 s of its return writes are made
again; everything acknowledged is there; with --idempotency nothing is there twice. Prints a table; exits with 1 where
anything of that does not hold.
"""
import argparse
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "load")]

import data  # noqa: E402
from ledger import Ledger  # noqa: E402
from site_under_test import Site  # noqa: E402


class Cluster:
    """A PostgreSQL server of our own."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        os.makedirs(folder)
        if self.as_user:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        versions = sorted(os.listdir("/usr/lib/postgresql"), key=int) if os.path.isdir("/usr/lib/postgresql") else []
        self.bin = f"/usr/lib/postgresql/{versions[-1]}/bin" if versions else os.path.dirname(shutil.which("initdb") or "")
        self.call("initdb", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", self.data)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(f"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\n"
                       "max_connections = 25\nsuperuser_reserved_connections = 3\n")

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def call(self, program, *arguments, good=(0,)):
        done = subprocess.run([*self.as_user, os.path.join(self.bin, program), *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, cwd=self.folder)
        if done.returncode not in good:
            raise SystemExit(f"{program} {arguments}: {done.stderr.decode()}")

    def start(self):
        self.call("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(self.folder, "log"), "start")

    def stop(self, mode):
        self.call("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    @property
    def pid(self):
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            return int(file.readline())

    def processes(self):
        """The postmaster and all of its children."""
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True).stdout
        return [self.pid, *map(int, found.split())]

    def signal(self, what):
        for process in self.processes():
            try:
                os.kill(process, what)
            except ProcessLookupError:
                pass


class Proxy:
    """Passes bytes on to the cluster, late, or not at all."""

    def __init__(self, port, to):
        self.to, self.delay, self.swallow, self.refuse = to, 0.0, False, False
        self.pairs, self.lock = set(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=200)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.refuse:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.add((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.pass_on, args=pair, daemon=True).start()

    def pass_on(self, source, target):
        try:
            while chunk := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                while self.swallow:
                    time.sleep(0.02)
                target.sendall(chunk)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Hog:
    """Takes all connections that there are."""

    def __init__(self, cluster):
        self.cluster, self.processes = cluster, []

    def take(self):
        # Those that the server has stay its own; the killed ones can't be replaced.
        for _ in range(30):
            self.processes.append(subprocess.Popen(
                ["psql", "-qAtX", f"postgres://postgres@127.0.0.1:{self.cluster.port}/postgres", "-c", "SELECT pg_sleep(600)"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def give_back(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        self.processes = []


class Run:
    def __init__(self, options, scratch):
        self.options, self.rows, self.bad = options, [], []
        self.cluster = Cluster(os.path.join(scratch, "cluster"), options.cluster_port)
        self.cluster.start()
        self.proxy = Proxy(options.proxy_port, options.cluster_port)
        direct = f"postgres://postgres@127.0.0.1:{options.cluster_port}/chaos"
        self.site = Site(options.mainstay, os.path.join(os.path.dirname(HERE), "app"), os.path.join(scratch, "app"), direct, options.port)
        data.write_seed(os.path.join(self.site.folder, "seed"), 0)
        self.site.run("migrate", "apply")
        self.site.run("seed")
        self.site.environment["MAINSTAY_SERVICES__DATABASE"] = direct.replace(str(options.cluster_port), str(options.proxy_port))
        self.ledger = Ledger(options.idempotency)

    def scenarios(self):
        cluster, proxy, hog = self.cluster, self.proxy, Hog(self.cluster)
        seconds = self.options.seconds

        def slow(delay):
            proxy.delay = delay

        def swallow(on):
            proxy.swallow = on

        def swallow_and_forget():
            proxy.cut()
            proxy.swallow = False

        def hold():
            cluster.signal(signal.SIGSTOP)

        def kill():
            # As a crash of one backend: the postmaster ends all and recovers.
            backend = subprocess.run(["pgrep", "-P", str(cluster.pid), "-f", "chaos"], capture_output=True, text=True).stdout.split()
            os.kill(int(backend[0]), signal.SIGKILL)

        def out_of_connections():
            hog.take()
            time.sleep(1)
            proxy.cut()

        return [
            ("stopped (fast)", lambda: cluster.stop("fast"), cluster.start, seconds),
            ("stopped (immediate)", lambda: cluster.stop("immediate"), cluster.start, seconds),
            ("restarted at once", lambda: (cluster.stop("fast"), cluster.start()), lambda: None, 1),
            ("backend killed", kill, lambda: None, 1),
            ("slow (100 ms each way)", lambda: slow(0.1), lambda: slow(0), seconds),
            ("connections cut", proxy.cut, lambda: None, 1),
            ("network silent", lambda: swallow(True), lambda: swallow(False), seconds * 2),
            ("network silent, then cut", lambda: swallow(True), swallow_and_forget, seconds * 2),
            ("network silent for long", lambda: swallow(True), lambda: swallow(False), 25),
            ("held still (SIGSTOP)", hold, lambda: cluster.signal(signal.SIGCONT), seconds * 2),
            ("out of connections", out_of_connections, hog.give_back, seconds * 2),
        ]

    def run(self):
        self.site.start()
        wanted = list(filter(None, self.options.only.split(",")))
        for name, begin, end, seconds in self.scenarios():
            if not wanted or any(word in name for word in wanted):
                self.torment(name, begin, end, seconds)
        # Retries that were under way have ended; everything is looked at once more.
        lost, doubled, foreign = self.ledger.check(self.site)
        self.site.stop()
        self.cluster.stop("fast")
        if lost or foreign or (doubled and self.options.idempotency):
            self.bad.append(f"in the end: lost {lost}, doubled {doubled}, foreign {foreign}")

    def torment(self, name, begin, end, seconds):
        ledger, before = self.ledger, len(self.ledger.acknowledged)
        ledger.start(self.site, self.options.clients, name.replace(" ", "-"), 0.002)
        time.sleep(0.7)
        begin()
        began = time.monotonic()
        time.sleep(seconds)
        ready, alive = self.status("/readyz"), self.status("/livez")
        end()
        ended = time.monotonic()
        time.sleep(3)
        ready_after = self.status("/readyz")
        ledger.stop()
        answers, longest = ledger.since(began - 0.5)
        healed = ledger.first(ended, 201)
        lost, doubled, foreign = ledger.check(self.site)
        self.rows.append((name, ", ".join(f"{status} × {count}" for status, count in sorted(answers.items())), f"{longest:.1f} s", ready, alive,
                          "–" if healed is None else f"{healed:.2f} s", len(ledger.acknowledged) - before, lost, doubled))
        print(self.rows[-1], file=sys.stderr, flush=True)
        self.expect(name, not lost and not foreign, f"lost {lost}, foreign {foreign}")
        self.expect(name, not doubled or not self.options.idempotency, f"doubled {doubled}")
        self.expect(name, healed is not None and healed < 5, f"writes were made again after {healed}")
        # A network that is silent is noticed within 3.5 s of the last answer; nobody hangs for longer than that.
        limit = 5 if name.startswith(("network silent", "held still")) else 10
        self.expect(name, longest < limit, f"somebody waited {longest:.1f} s")
        self.expect(name, ready_after == 200 and alive == 200, f"/readyz {ready_after} afterwards, /livez {alive}")
        self.expect(name, not ledger.faults, ledger.faults[:3])
        ledger.faults.clear()

    def status(self, path):
        try:
            return self.site.get(path)[0]
        except OSError as error:
            return repr(error)[:40]

    def expect(self, name, holds, what):
        if not holds:
            self.bad.append(f"{name}: {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mainstay", required=True, help="the binary")
    parser.add_argument("--seconds", type=float, default=3, help="how long each fault stays")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--idempotency", action="store_true", help="retry each write with its Idempotency-Key until it is made")
    parser.add_argument("--only", default="", help="parts of names of faults")
    parser.add_argument("--port", type=int, default=7023)
    parser.add_argument("--proxy-port", type=int, default=7024)
    parser.add_argument("--cluster-port", type=int, default=5499)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainstay-postgres-") as scratch:
        os.chmod(scratch, 0o755)
        run = Run(options, scratch)
        try:
            run.run()
        finally:
            if run.site.process and run.site.process.poll() is None:
                run.site.kill()
            run.cluster.call("pg_ctl", "-D", run.cluster.data, "-m", "immediate", "stop", good=(0, 1))
    print("| fault | clients were told | longest | readyz | livez | on again after | acknowledged | lost | doubled |")
    print("| --- | --- | ---: | --- | --- | --- | ---: | ---: | ---: |")
    for row in run.rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    for bad in run.bad:
        print(f"BAD {bad}", file=sys.stderr)
    return 1 if run.bad else 0


if __name__ == "__main__":
    sys.exit(main())
