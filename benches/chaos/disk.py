#!/usr/bin/env python3
"""Makes the disk under a SQLite app fail in every way, under load, and looks for what was lost.

    benches/chaos/disk.py --mainstay target/dist/mainstay [--seconds 2] [--idempotency]

Each fault comes while clients write, stays a while and goes: full disk (a small tmpfs, where this runs as root; else the
calls fail), failing writes, syncs and reads (failing_disk.c, built with cc and preloaded), a disk that became read-only, a
process killed while the disk is full, a corrupt page, a read-only directory at the start. Meanwhile clients have to be told
503 with Retry-After, /livez stays 200, and /readyz says 503 while writes can't be made; afterwards the server goes on
by itself, and everything acknowledged is there, once. Prints a table; exits with 1 where anything of that does not hold.
"""
import argparse
import errno
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "load")]

import data  # noqa: E402
from ledger import Ledger  # noqa: E402
from site_under_test import Site  # noqa: E402

WRITES, SYNCS, READS, OPENS = 1, 2, 4, 8
# name, calls that fail, how, how many still succeed first
CALLS = [
    ("writes: ENOSPC", WRITES, errno.ENOSPC, 0),
    ("writes: ENOSPC in the middle of a commit", WRITES, errno.ENOSPC, 3),
    ("writes: EIO", WRITES, errno.EIO, 0),
    ("writes: EIO in the middle of a commit", WRITES, errno.EIO, 2),
    ("syncs: EIO", SYNCS, errno.EIO, 0),
    ("syncs and writes: EIO", SYNCS | WRITES, errno.EIO, 1),
    ("read-only: EROFS", WRITES | SYNCS | OPENS, errno.EROFS, 0),
    ("out of handles: EMFILE", OPENS, errno.EMFILE, 0),
    ("quota: EDQUOT", WRITES, errno.EDQUOT, 0),
]


class Faults:
    """The control file of failing_disk.c."""

    def __init__(self, path):
        self.path = path
        self.set(0, 0, 0)

    def set(self, which, code, spare):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("<IIi", which, code, spare))


class Run:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.rows, self.bad = [], []
        self.library = os.path.join(scratch, "failing_disk.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", self.library, os.path.join(HERE, "failing_disk.c"), "-ldl"],
                       check=True)

    def site(self, name, database="sqlite:data/app.db", preload=False):
        folder = os.path.join(self.scratch, name)
        site = Site(self.options.mainstay, os.path.join(os.path.dirname(HERE), "app"), folder, database, self.options.port)
        data.write_seed(os.path.join(folder, "seed"), 0)
        site.run("migrate", "apply")
        site.run("seed")
        faults = Faults(os.path.join(self.scratch, f"{name}.control"))
        if preload:
            site.environment |= {"LD_PRELOAD": self.library, "FAULTS": faults.path,
                                 "FAULTS_UNDER": os.path.join(os.path.realpath(folder), "data/")}
        return site, faults

    def expect(self, name, holds, what):
        if not holds:
            self.bad.append(f"{name}: {what}")

    def torment(self, name, site, begin_fault, end_fault, writes_fail=True):
        """Load, the fault, load, the end of the fault, load; a row of the table."""
        ledger = Ledger(self.options.idempotency)
        ledger.start(site, 4, "w", 0.002)
        time.sleep(0.7)
        begin_fault()
        began = time.monotonic()
        time.sleep(self.options.seconds)
        ready, alive, read = (self.status(site, path) for path in ("/readyz", "/livez", "/api/messages?limit=1"))
        answers, longest = ledger.since(began + 0.3)
        end_fault()
        ended = time.monotonic()
        time.sleep(1.5)
        ledger.stop()
        healed = ledger.first(ended, 201)
        ready_after = self.status(site, "/readyz")
        site.stop()
        site.start()
        lost, doubled, foreign = ledger.check(site)
        site.stop()
        self.rows.append((name, show(answers), f"{longest:.2f} s", ready, read, alive,
                          "–" if healed is None else f"{healed * 1000:.0f} ms", len(ledger.acknowledged), lost, doubled))
        self.expect(name, not lost and not doubled and not foreign, f"lost {lost}, doubled {doubled}, foreign {foreign}")
        self.expect(name, healed is not None and healed < 5, f"healed after {healed}")
        self.expect(name, ready_after == 200, f"/readyz is {ready_after} afterwards")
        self.expect(name, alive == 200, f"/livez is {alive}")
        self.expect(name, not ledger.faults, ledger.faults[:3])
        if writes_fail:
            # On a disk that has just filled up, the room that the log has already is used first.
            good = {"503", "201"} if "tmpfs" in name else {"503"}
            self.expect(name, set(answers) <= good and "503" in answers, f"clients were told {answers}")
            self.expect(name, not ledger.unacknowledged, f"{ledger.unacknowledged} are stored that were refused")
            self.expect(name, ready == 503, f"/readyz is {ready} while writes fail")

    def status(self, site, path):
        try:
            return site.get(path)[0]
        except OSError as error:
            return repr(error)[:40]

    def calls(self):
        for name, which, code, spare in CALLS:
            site, faults = self.site("calls", preload=True)
            site.start()
            # New handles are opened seldom, so that their failing alone may be met by nobody.
            self.torment(name, site, lambda: faults.set(which, code, spare), lambda: faults.set(0, 0, 0),
                         writes_fail=which != OPENS)

    def tmpfs(self):
        mount = os.path.join(self.scratch, "small")
        os.makedirs(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount], capture_output=True).returncode:
            print("no tmpfs can be mounted here: the full disk is left to the failing calls", file=sys.stderr)
            return
        ballast = os.path.join(mount, "ballast")

        def fill():
            with open(ballast, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 4096)
                except OSError:
                    pass

        try:
            site, _ = self.site("full", f"sqlite:{mount}/app.db")
            site.start()
            self.torment("full disk (tmpfs)", site, fill, lambda: os.remove(ballast))
            self.killed_while_full(site, fill, ballast)
            self.read_only_start(site, mount)
        finally:
            subprocess.run(["umount", "-l", mount], check=False)

    def killed_while_full(self, site, fill, ballast):
        name = "killed while the disk is full (tmpfs)"
        site.start()
        ledger = Ledger(False)
        ledger.sent = {record["text"] for record in site.all("messages")}
        ledger.start(site, 4, "k", 0.002)
        time.sleep(0.5)
        fill()
        began = time.monotonic()
        time.sleep(1)
        answers, longest = ledger.since(began + 0.3)
        site.kill()
        ledger.stop()
        site.process = site.spawn("serve")
        time.sleep(1)
        starts = site.process.poll() is None and self.status(site, "/api/messages?limit=1")
        site.kill()
        os.remove(ballast)
        begin = time.monotonic()
        site.start()
        lost, doubled, foreign = ledger.check(site)
        site.stop()
        told = f"starts: {starts}" if starts else "refuses to start"
        self.rows.append((name, show(answers), f"{longest:.2f} s", "–", told, "–",
                          f"{(time.monotonic() - begin) * 1000:.0f} ms", len(ledger.acknowledged), lost, doubled))
        self.expect(name, not lost and not doubled and not foreign, f"lost {lost}, doubled {doubled}, foreign {foreign}")

    def read_only_start(self, site, mount):
        name = "read-only disk at the start (tmpfs)"
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
        code, out = site.run("serve", good=(0, 1))
        subprocess.run(["mount", "-o", "remount,rw", mount], check=True)
        site.start()
        site.stop()
        self.rows.append((name, f"exit code {code}", "–", "–", "–", "–", "starts again", 0, 0, 0))
        self.expect(name, code == 1, f"exit code {code}: {out}")

    def corrupt(self):
        name = "corrupt page"
        site, _ = self.site("corrupt")
        site.start()
        ledger = Ledger(False)
        ledger.start(site, 4, "c")
        time.sleep(1.5)
        ledger.stop()
        backup = os.path.join(self.scratch, "backup.db")
        site.run("backup", backup)
        site.stop()
        path = os.path.join(site.folder, "data/app.db")
        with open(path, "r+b") as file:
            size = os.path.getsize(path)
            # Somewhere in the last third, where the newest pages are; the first ones hold the schema.
            for page in range(size * 2 // 3 // 4096, size * 5 // 6 // 4096):
                file.seek(page * 4096)
                file.write(os.urandom(4096))
        site.start_anyhow()
        statuses = {}
        for record in list(ledger.acknowledged.values()):
            status = str(self.status(site, f"/api/messages/{record}"))
            statuses[status] = statuses.get(status, 0) + 1
        ready, alive = self.status(site, "/readyz"), self.status(site, "/livez")
        site.stop()
        site.run("restore", backup)
        begin = time.monotonic()
        site.start()
        lost, doubled, foreign = ledger.check(site)
        site.stop()
        self.rows.append((name, show(statuses), "–", ready, "some", alive,
                          f"{(time.monotonic() - begin) * 1000:.0f} ms after `restore`", len(ledger.acknowledged), lost, doubled))
        self.expect(name, set(statuses) <= {"200", "503"}, f"reads were answered {statuses}")
        self.expect(name, ready == 503 and alive == 200, f"/readyz {ready}, /livez {alive}")
        self.expect(name, not lost and not doubled and not foreign, f"lost {lost}, doubled {doubled}, foreign {foreign}")


def show(answers):
    return ", ".join(f"{status} × {count}" for status, count in sorted(answers.items())) or "nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mainstay", required=True, help="the binary")
    parser.add_argument("--seconds", type=float, default=2, help="how long each fault stays")
    parser.add_argument("--idempotency", action="store_true", help="retry each write with its Idempotency-Key until it is made")
    parser.add_argument("--port", type=int, default=7022)
    options = parser.parse_args()
    if shutil.which("cc") is None:
        sys.exit("cc is needed and not installed")
    with tempfile.TemporaryDirectory(prefix="mainstay-disk-") as scratch:
        run = Run(options, scratch)
        for part in (run.calls, run.tmpfs, run.corrupt):
            part()
    print("| fault | clients were told | longest | readyz | reads | livez | on again after | acknowledged | lost | doubled |")
    print("| --- | --- | ---: | --- | --- | --- | --- | ---: | ---: | ---: |")
    for row in run.rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    for bad in run.bad:
        print(f"BAD {bad}", file=sys.stderr)
    return 1 if run.bad else 0


if __name__ == "__main__":
    sys.exit(main())
