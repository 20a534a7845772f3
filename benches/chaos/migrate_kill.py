#!/usr/bin/env python3
"""Kills `mainstay migrate apply` at random moments and checks that the schema is the old one or the new one, never half.

    benches/chaos/migrate_kill.py --mainstay target/dist/mainstay [--kills 50] [--rows 5000]
    benches/chaos/migrate_kill.py --mainstay target/dist/mainstay --database postgres://root@127.0.0.1/chaos

Each time: a fresh copy of an app with rows, one of the changes below, `migrate apply` killed somewhere between its start
and its usual end. Then just one of the old and the new files may have nothing left to plan; in the old state the old
server gives the old rows; applying again ends well, and all rows are there as the change would have them.
Exits with 1 where anything of that does not hold.
"""
import argparse
import collections
import copy
import json
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from site_under_test import Site  # noqa: E402

SHELVES = 40
# `items` is what changes most; `shelves` is referred to with cascade, so that making its table anew by
# dropping the old one would take the items with it.
BASE = {
    "shelves": {"fields": {"name": '{ type = "string", required = true, max = 100 }'}, "indexes": {}},
    "items": {
        "fields": {
            "shelf": '{ type = "reference", to = "shelves", required = true, on_delete = "cascade" }',
            "title": '{ type = "string", required = true, max = 200 }',
            "kind": '{ type = "enum", values = ["book", "film", "game"], default = "book" }',
            "count": '{ type = "integer", default = 0 }',
            "price": '{ type = "decimal", precision = 12, scale = 2 }',
            "note": '{ type = "text" }',
        },
        "indexes": {"by_shelf": '["shelf", "title"]'},
    },
}


def add_field(resources):
    resources["items"]["fields"]["stock"] = '{ type = "integer", required = true, default = 7 }'


def tighten(resources):
    resources["items"]["fields"]["note"] = '{ type = "text", required = true, max = 5000 }'
    resources["items"]["fields"]["title"] = '{ type = "string", required = true, unique = true, max = 80 }'


def tighten_referred(resources):
    resources["shelves"]["fields"]["name"] = '{ type = "string", required = true, unique = true, max = 50 }'


def drop_field(resources):
    del resources["items"]["fields"]["count"]


def add_index(resources):
    resources["items"]["indexes"]["by_kind"] = '["kind", "-price"]'


def rename_field(resources):
    resources["items"]["fields"]["heading"] = resources["items"]["fields"].pop("title").replace(" }", ', renamed_from = "title" }')
    resources["items"]["indexes"]["by_shelf"] = '["shelf", "heading"]'


def all_at_once(resources):
    add_field(resources)
    tighten(resources)
    tighten_referred(resources)
    drop_field(resources)
    add_index(resources)
    rename_field(resources)


def with_stock(item):
    item["stock"] = 7


def without_count(item):
    del item["count"]


def with_heading(item):
    item["heading"] = item.pop("title")


def same(_item):
    pass


def with_all(item):
    with_stock(item)
    without_count(item)
    with_heading(item)


# what is changed, and what that does to an item
CHANGES = {
    "add a field": (add_field, with_stock),
    "tighten": (tighten, same),
    "tighten what is referred to": (tighten_referred, same),
    "drop a field": (drop_field, without_count),
    "add an index": (add_index, same),
    "rename a field": (rename_field, with_heading),
    "all at once": (all_at_once, with_all),
}


def write_resources(site, resources):
    for name, resource in resources.items():
        lines = ['id = "integer"', "", "[fields]", *(f"{field} = {options}" for field, options in resource["fields"].items()),
                 "", "[access]", 'read = "true"', "", "[indexes]",
                 *(f"{index} = {fields}" for index, fields in resource["indexes"].items())]
        with open(os.path.join(site.folder, "resources", f"{name}.toml"), "w") as file:
            file.write("\n".join(lines) + "\n")


def write_seed(site, rows):
    folder = os.path.join(site.folder, "seed")
    os.makedirs(folder)
    with open(os.path.join(folder, "shelves.ndjson"), "w") as file:
        file.writelines(json.dumps({"id": i, "name": f"shelf {i}"}) + "\n" for i in range(1, SHELVES + 1))
    with open(os.path.join(folder, "items.ndjson"), "w") as file:
        for i in range(1, rows + 1):
            item = {"id": i, "shelf": i % SHELVES + 1, "title": f"item {i}", "kind": ("book", "film", "game")[i % 3],
                    "count": i % 50, "price": f"{i % 1000}.{i % 100:02}", "note": f"note {i} " * (i % 20 + 1)}
            file.write(json.dumps(item) + "\n")


class Copies:
    """The seeded database, and copies of it."""

    def __init__(self, site):
        self.site, self.kept = site, f"{site.folder}.seeded"
        if site.postgres:
            self.template = f"{site.name}_seeded"
            site.psql(f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)',
                      f'CREATE DATABASE "{self.template}" TEMPLATE "{site.name}"')
        else:
            shutil.copytree(os.path.join(site.folder, "data"), self.kept)

    def restore(self):
        site = self.site
        write_resources(site, BASE)
        if site.postgres:
            site.psql(f'DROP DATABASE IF EXISTS "{site.name}" WITH (FORCE)',
                      f'CREATE DATABASE "{site.name}" TEMPLATE "{self.template}"')
        else:
            shutil.rmtree(os.path.join(site.folder, "data"))
            shutil.copytree(self.kept, os.path.join(site.folder, "data"))

    def remove(self):
        if self.site.postgres:
            self.site.psql(f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)')


def rows_of(site):
    """Every record of the served app, by resource and id."""
    site.start()
    try:
        return {name: {record["id"]: record for record in site.all(name)} for name in BASE}
    finally:
        site.stop()


def difference(found, expected):
    """The first difference in words, or None."""
    for name, records in expected.items():
        if found[name] != records:
            wrong = [i for i in records.keys() | found[name].keys() if records.get(i) != found[name].get(i)]
            first = min(wrong)
            return f"{len(wrong)} {name} differ; {first}: {found[name].get(first)}, expected {records.get(first)}"
    return None


def apply(site):
    return site.spawn("migrate", "apply", "--allow-data-loss")


def usual_seconds(site, copies, changed):
    """How long the migration takes when nobody kills it."""
    times = []
    for _ in range(3):
        copies.restore()
        write_resources(site, changed)
        begin = time.monotonic()
        if apply(site).wait() != 0:
            raise SystemExit(f"`mainstay migrate apply` failed without being killed; see {site.folder}.log")
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def pending(site, resources):
    write_resources(site, resources)
    return site.run("migrate", "plan", "--exit-code", good=(0, 2))[0] == 2


def state_after_kill(site, changed):
    """`old`, `new`, or what is wrong."""
    old_is_pending, new_is_pending = pending(site, BASE), pending(site, changed)
    json.loads(site.run("migrate", "status", "--json")[1])
    if old_is_pending == new_is_pending:
        return "neither the old nor the new schema" if old_is_pending else "nothing is pending for either"
    return "new" if old_is_pending else "old"


def check_file(site):
    """SQLite's own opinion of the file."""
    if site.postgres:
        return None
    database = sqlite3.connect(os.path.join(site.folder, site.database.removeprefix("sqlite:")))
    try:
        faults = [row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
        faults += [f"foreign key of {row}" for row in database.execute("PRAGMA foreign_key_check")]
    finally:
        database.close()
    return "; ".join(faults[:5]) or None


def one_kill(site, copies, change, usual, base_rows, source):
    """(was it still running, `old` or `new` or a fault, [faults])"""
    alter, effect = CHANGES[change]
    changed = copy.deepcopy(BASE)
    alter(changed)
    expected = copy.deepcopy(base_rows)
    for item in expected["items"].values():
        effect(item)
    copies.restore()
    write_resources(site, changed)
    process = apply(site)
    time.sleep(source.uniform(0, usual * 1.1))
    was_running = process.poll() is None
    process.kill()
    process.wait()
    site.wait_for_backends()

    faults = []
    state = state_after_kill(site, changed)
    if state not in ("old", "new"):
        faults.append(state)
    if state == "old":
        write_resources(site, BASE)
        if wrong := difference(rows_of(site), base_rows):
            faults.append(f"in the old state {wrong}")
        write_resources(site, changed)
    site.run("migrate", "apply", "--allow-data-loss")
    if pending(site, changed):
        faults.append("something is pending after applying again")
    if wrong := difference(rows_of(site), expected):
        faults.append(f"after applying again {wrong}")
    if wrong := check_file(site):
        faults.append(wrong)
    return was_running, state, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mainstay", required=True, help="the binary")
    parser.add_argument("--database", default="sqlite:data/app.db", help="a PostgreSQL database that is named is dropped and made afresh")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--port", type=int, default=7022)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source = random.Random(options.seed)
    states, running, faults = collections.Counter(), 0, []
    with tempfile.TemporaryDirectory(prefix="mainstay-migrate-") as scratch:
        site = Site(options.mainstay, None, os.path.join(scratch, "app"), options.database, options.port)
        open(os.path.join(site.folder, "mainstay.toml"), "w").close()
        write_resources(site, BASE)
        write_seed(site, options.rows)
        site.run("migrate", "apply")
        site.run("seed")
        base_rows = rows_of(site)
        if len(base_rows["items"]) != options.rows:
            raise SystemExit(f"{len(base_rows['items'])} of {options.rows} rows were loaded")
        copies = Copies(site)
        usual = {}
        for number in range(options.kills):
            change = list(CHANGES)[number % len(CHANGES)]
            if change not in usual:
                changed = copy.deepcopy(BASE)
                CHANGES[change][0](changed)
                usual[change] = usual_seconds(site, copies, changed)
                print(f"{change}: {usual[change] * 1000:.0f} ms undisturbed", file=sys.stderr, flush=True)
            was_running, state, new_faults = one_kill(site, copies, change, usual[change], base_rows, source)
            running += was_running
            states[state] += 1
            faults += new_faults
            for fault in new_faults:
                print(f"{change}: {fault[:600]}", file=sys.stderr, flush=True)
        copies.remove()
    print(f"{'postgres' if site.postgres else 'sqlite'}: {options.kills} migrations, {running} killed before their end; "
          f"afterwards {states['old']} old, {states['new']} new, {sum(states.values()) - states['old'] - states['new']} half; "
          f"{options.rows:,} rows each, faults {len(faults)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
