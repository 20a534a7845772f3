"""The servers under test: how each is built, what data it gets, and how it is run."""
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import time

import cluster
import data
import measure
import tokens

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(HERE)
PORTS = {"hello": 1, "near-limit": 2, "near-limit-inline": 3, "near-limit-postgres": 4, "express": 6, "fastify": 7,
         "mainstay": 11, "mainstay-postgres": 12}
ON_POSTGRES = ("near-limit-postgres", "mainstay-postgres")


def port_of(name, options):
    return options.ports + PORTS[name]


def workloads(folder, kind):
    """The request files of near-limit and Node (`own`) or of Mainstay."""
    loads = {}
    for name in ("W1", "W2", "W2x", "W3", "W4", "W5"):
        files = {"paths": f"{folder}/{kind}.{name}.paths"}
        if name in ("W3", "W5"):
            files["bodies"] = f"{folder}/{kind}.{name}.bodies"
        if name == "W4":
            files["token"] = f"{folder}/{kind}.token"
        loads[name] = {**files, "connections": 64}
        loads[name + "c1"] = {**files, "connections": 1}
    return loads


def build_server(name, options):
    """Builds what the server needs, makes its data once, and says how to run it."""
    requests = os.path.join(options.work, f"requests-4-{options.rows}")
    if not os.path.exists(requests):
        data.write_requests(requests + ".part", options.rows)
        os.rename(requests + ".part", requests)
    if name == "mainstay":
        return mainstay(options, requests)
    if name == "mainstay-postgres":
        return mainstay_on_postgres(options, requests)
    port = port_of(name, options)
    if name == "near-limit-postgres":
        return near_limit_on_postgres(options, requests)
    if name == "hello":
        binary = near_limit_binary("hello")
        root = {"W0": {"paths": f"{requests}/root.paths", "connections": 64}}
        return measure.Server(name, [binary], port, "/", root, binary, environment={"PORT": str(port)})
    seed = os.path.join(options.work, f"seed-2-{options.rows}.db")
    if not os.path.exists(seed):
        data.write_sqlite(seed + ".part", options.rows)
        os.rename(seed + ".part", seed)
    database = os.path.join(options.work, f"{name}.db")

    def prepare():
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(database + suffix):
                os.remove(database + suffix)
        shutil.copyfile(seed, database)

    loads = workloads(requests, "own")
    environment = {"DB": database, "PORT": str(port), "SYNC": options.sync, "NODE_ENV": "production",
                   "SECRET": tokens.SECRET}
    if name.startswith("near-limit"):
        binary = near_limit_binary("near-limit")
        command, size, cwd = [binary], binary, None
        environment["READERS"] = "inline" if name.endswith("inline") else "2"
    else:
        cwd = os.path.join(HERE, "node")
        size = os.path.join(cwd, "node_modules")
        if not os.path.exists(size):
            subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"], cwd=cwd, check=True, stdout=sys.stderr)
        command = ["node", f"{name}.js"]
        # These know nothing of `expand`, tokens and batches.
        loads = {workload: load for workload, load in loads.items() if not workload.startswith(("W2x", "W4", "W5"))}
    return measure.Server(name, command, port, "/messages/1", loads, size,
                          cwd=cwd, environment=environment, prepare=prepare,
                          sign_in=lambda: tokens.mint(f"{requests}/own.token", user=1))


def near_limit_binary(name):
    folder = os.path.join(HERE, "near-limit")
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=folder, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(folder, "target")), "release", name)


def near_limit_on_postgres(options, requests):
    """near-limit's tables in a database of its own, made afresh for every round."""
    binary, port = near_limit_binary("postgres"), port_of("near-limit-postgres", options)
    seed = os.path.join(options.work, f"seed-2-{options.rows}.sql")
    if not os.path.exists(seed):
        data.write_postgres(seed + ".part", options.rows)
        os.rename(seed + ".part", seed)
    loads = {name: load for name, load in workloads(requests, "own").items() if name.removesuffix("c1") in ("W1", "W2", "W3")}
    return measure.Server("near-limit-postgres", [binary], port, "/messages/1", loads, binary,
                          environment={"DATABASE": options.cluster.url("near_limit"), "PORT": str(port)},
                          prepare=lambda: options.cluster.make("near_limit", seed),
                          beside=options.cluster.pids)


def mainstay_on_postgres(options, requests):
    """Mainstay on a copy of a database that its own commands have made."""
    binary, port = mainstay_binary(options), port_of("mainstay-postgres", options)
    app = os.path.join(options.work, "mainstay-postgres-app")
    shutil.rmtree(app, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "app"), app, ignore=shutil.ignore_patterns("data", "seed"))
    data.write_seed(os.path.join(app, "seed"), options.rows)
    environment = {"MAINSTAY_SERVER__LISTEN": f"127.0.0.1:{port}",
                   "MAINSTAY_SERVICES__DATABASE": options.cluster.url("mainstay"),
                   # Nodes that share a database share this; the database goes with the run.
                   "MAINSTAY_AUTH__MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}
    options.cluster.make("mainstay")
    for command in (["migrate", "apply"], ["seed"]):
        begin = time.monotonic()
        subprocess.run([binary, *command], cwd=app, check=True, stdout=sys.stderr, env={**os.environ, **environment})
        print(f"mainstay {' '.join(command)} on PostgreSQL: {time.monotonic() - begin:.1f} s", file=sys.stderr)
    options.cluster.rename("mainstay", "mainstay_seeded")
    loads = {name: load for name, load in workloads(requests, "mainstay").items()
             if name.removesuffix("c1") in ("W1", "W2", "W3", "W5")}
    return measure.Server("mainstay-postgres", [binary, "serve"], port, "/api/messages/1", loads, binary,
                          cwd=app, environment=environment,
                          prepare=lambda: options.cluster.copy("mainstay_seeded", "mainstay"),
                          beside=options.cluster.pids)


def mainstay_binary(options):
    if options.mainstay:
        return os.path.abspath(options.mainstay)
    subprocess.run(["cargo", "build", "--profile", "dist", "-p", "server", "--bin", "mainstay"], cwd=ROOT, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "dist", "mainstay")


def mainstay(options, requests):
    """Mainstay, on an app that was migrated and seeded by its own commands."""
    binary, port = mainstay_binary(options), port_of("mainstay", options)
    seeded = seeded_app(binary, options, options.rows)
    app = os.path.join(options.work, "mainstay-app")

    def prepare():
        shutil.rmtree(app, ignore_errors=True)
        shutil.copytree(seeded, app, ignore=shutil.ignore_patterns("seed"))

    environment = {"MAINSTAY_SERVER__LISTEN": f"127.0.0.1:{port}"}
    return measure.Server("mainstay", [binary, "serve"], port, "/api/messages/1",
                          workloads(requests, "mainstay"), binary, cwd=app, environment=environment, prepare=prepare,
                          sign_in=lambda: tokens.sign_in(f"{requests}/mainstay.token", binary, app, port, user=1))


def seeded_app(binary, options, rows):
    """The app with its data, made again whenever the binary or the app's files are others."""
    digest = hashlib.sha256()
    source = os.path.join(HERE, "app")
    for folder, folders, names in sorted(os.walk(source)):
        folders[:] = [name for name in folders if name not in ("data", "seed")]
        for path in [os.path.join(folder, name) for name in sorted(names)]:
            digest.update(path.encode() + open(path, "rb").read())
    digest.update(open(binary, "rb").read())
    app = os.path.join(options.work, f"seeded-{rows}-{digest.hexdigest()[:12]}")
    if not os.path.exists(app):
        for old in os.listdir(options.work):
            if old.startswith(f"seeded-{rows}-"):
                shutil.rmtree(os.path.join(options.work, old))
        part = app + ".part"
        shutil.copytree(source, part, ignore=shutil.ignore_patterns("data", "seed"))
        data.write_seed(os.path.join(part, "seed"), rows)
        for command in (["migrate", "apply"], ["seed"]):
            begin = time.monotonic()
            subprocess.run([binary, *command], cwd=part, check=True, stdout=sys.stderr)
            print(f"mainstay {' '.join(command)}: {time.monotonic() - begin:.1f} s", file=sys.stderr)
        os.rename(part, app)
    return app
