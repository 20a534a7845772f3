"""A PostgreSQL cluster of the benchmark's own, on the server's core, so that what it works counts as the server's work.

Its settings are PostgreSQL's own but for the address: commits wait for the disk, as everywhere here.
"""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time

import machine
import measure


class Cluster:
    """Started by `start`, gone with all its databases after `stop`."""

    def __init__(self, port):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self.programs = found[-1] + "/" if found else ""
        self.port, self.folder, self.process = port, None, None

    def start(self):
        self.folder = tempfile.mkdtemp(prefix="mainstay-bench-postgres-")
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = os.path.join(self.folder, "data")
        subprocess.run(self.owned([self.programs + "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8",
                                   "--locale=C"]), check=True, cwd="/", stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            ["taskset", "-c", str(measure.SERVER_CORE),
             *self.owned([self.programs + "postgres", "-D", data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                          "-c", f"unix_socket_directories={self.folder}"])],
            cwd="/", stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.folder, "log"), "w"), start_new_session=True)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.psql("postgres", "-c", "SELECT 1", check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start; see {self.folder}/log")

    def stop(self):
        if self.process:
            data = os.path.join(self.folder, "data")
            subprocess.run(self.owned([self.programs + "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]), cwd="/",
                           check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def owned(self, command):
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command

    def url(self, name):
        return f"postgres://bench@127.0.0.1:{self.port}/{name}"

    def psql(self, name, *arguments, check=True):
        return subprocess.run([self.programs + "psql", "-wqAtX", "-v", "ON_ERROR_STOP=1", self.url(name), *arguments], check=check,
                              stdout=subprocess.PIPE, stderr=None if check else subprocess.DEVNULL, text=True)

    def drop(self, name):
        self.psql("postgres", "-c", "SET client_min_messages = warning", "-c", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def make(self, name, script=None):
        """An empty database, or one that a script fills."""
        self.drop(name)
        self.psql("postgres", "-c", f'CREATE DATABASE "{name}"')
        if script:
            self.psql(name, "-f", script)
        self.settle(name)

    def copy(self, template, name):
        self.drop(name)
        self.psql("postgres", "-c", f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self.settle(name)

    def rename(self, name, other):
        self.drop(other)
        self.psql("postgres", "-c", f'ALTER DATABASE "{name}" RENAME TO "{other}"')

    def settle(self, name):
        """Statistics and a checkpoint now, so that neither comes in the middle of a measurement."""
        self.psql(name, "-c", "VACUUM ANALYZE", "-c", "CHECKPOINT")

    def pids(self):
        """All its processes; those that have ended count with the first."""
        return machine.tree(self.process.pid)
