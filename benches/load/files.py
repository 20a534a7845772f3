"""Exports and imports: whole tables as lines of JSON, out of a server and into a database file."""
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import time

import cluster
import data
import machine
import measure
import report
import servers


def part_export(options):
    """Every message as NDJSON from a running server, beside near-limit's; how fast, and with how much more memory."""
    rows, measurements = options.export_rows, []
    old, options.rows = options.rows, rows
    try:
        tested = [servers.build_server(name, options) for name in ("near-limit", "mainstay")]
    finally:
        options.rows = old
    for round_number in range(1, options.rounds + 1):
        for server in tested if round_number % 2 else tested[::-1]:
            try:
                server.start(os.path.join(options.work, f"{server.name}.log"), options.nice)
                time.sleep(1)
                # Once to be warm; the second one counts.
                for counts in (False, True):
                    row = dict(export(server), server=server.name, round=round_number)
                    if row["lines"] != rows:
                        raise RuntimeError(f"{server.name} exported {row['lines']} of {rows} rows")
                    if counts:
                        measurements.append(row)
                        print(f"export {server.name:12} {row['seconds']:.2f} s {row['cpu']:.2f} s CPU", file=sys.stderr, flush=True)
            finally:
                server.stop()
    table(f"NDJSON export of {rows:,} rows", measurements, "near-limit", "more_mib")
    return measurements


def export(server):
    """One export: seconds, CPU seconds, lines, and by how much the peak of memory was above what it was before."""
    pid = server.process.pid
    before = machine.resident_mib(pid)
    machine.forget_peak(pid)
    used, begin = sum(server.cpu_seconds()), time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    path = "/messages/export" if server.name == "near-limit" else "/api/messages"
    connection.request("GET", path, headers={"Accept": "application/x-ndjson"})
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{server.name}: {response.status} {response.read(300)!r}")
    lines = 0
    while chunk := response.read1(1 << 20):
        lines += chunk.count(b"\n")
    seconds = time.monotonic() - begin
    connection.close()
    return dict(lines=lines, seconds=seconds, cpu=sum(server.cpu_seconds()) - used, more_mib=machine.peak_mib(pid) - before)


def part_import(options):
    """A file of messages into a table that is empty but for its indexes: the bare prepared insert, and `mainstay import`."""
    rows, measurements = options.import_rows, []
    file = os.path.join(options.work, f"import-{rows}.ndjson")
    if not os.path.exists(file):
        data.write_messages(file + ".part", rows)
        os.rename(file + ".part", file)
    bare, binary = servers.near_limit_binary("import"), servers.mainstay_binary(options)
    empty = os.path.join(options.work, "import-empty.db")
    data.write_sqlite(empty, 0)
    seeded = servers.seeded_app(binary, options, 0)
    own = cluster.Cluster(options.ports + 32)
    try:
        own.start()
        for round_number in range(1, options.rounds + 1):
            for name in ("bare insert", "mainstay", "mainstay-postgres"):
                scratch = os.path.join(options.work, "importing")
                shutil.rmtree(scratch, ignore_errors=True)
                if name == "bare insert":
                    os.mkdir(scratch)
                    shutil.copyfile(empty, os.path.join(scratch, "app.db"))
                    command, environment = [bare], {"DB": "app.db", "FILE": file, "SYNC": options.sync}
                else:
                    shutil.copytree(seeded, scratch)
                    command, environment = [binary, "import", "messages", file], {}
                    if name == "mainstay-postgres":
                        environment = {"MAINSTAY_SERVICES__DATABASE": own.url("importing")}
                        own.make("importing")
                        for step in (["migrate", "apply"], ["seed"]):
                            subprocess.run([binary, *step], cwd=scratch, check=True, stdout=subprocess.DEVNULL,
                                           env={**os.environ, **environment})
                beside = own.pids if name == "mainstay-postgres" else list
                measurements.append(dict(run(command, scratch, environment, beside), server=name, round=round_number))
                row = measurements[-1]
                print(f"import {name:18} {row['seconds']:.2f} s {row['cpu']:.2f} s CPU {row['peak_mib']:.0f} MiB",
                      file=sys.stderr, flush=True)
    finally:
        own.stop()
    table(f"Import of {rows:,} rows", measurements, "bare insert", "peak_mib")
    return measurements


def run(command, folder, environment, beside):
    """Runs a command on the server's core: seconds, CPU seconds with those of the processes beside it, peak of memory."""
    used, begin = sum(machine.cpu_seconds_of(beside())), time.monotonic()
    process = subprocess.Popen(["taskset", "-c", str(measure.SERVER_CORE), *command], cwd=folder,
                               env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    # `ru_maxrss` would count this program's own pages, which the child had until it became another program.
    peak = 0.0
    while True:
        peak = max(peak, machine.peak_mib(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime + sum(machine.cpu_seconds_of(beside())) - used
    return dict(seconds=seconds, cpu=cpu, peak_mib=peak)


def table(title, measurements, reference, memory):
    """Medians, and ratios within each round."""
    def by(server):
        return [row for row in measurements if row["server"] == server]

    def by_reference(pairs, key):
        """How many times as fast as the reference, in the median; nothing where it was too little to be counted."""
        ratios = [one[key] / other[key] for one, other in pairs if other[key]]
        return report.show(statistics.median(ratios) if ratios else None, 2)

    words = {"more_mib": "more memory, MiB", "peak_mib": "peak of memory, MiB"}[memory]
    print(f"| {title} | seconds | **of {reference}** | CPU s | of {reference}, by CPU | {words} |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for server in dict.fromkeys(row["server"] for row in measurements):
        pairs = list(zip(by(reference), by(server)))
        print(f"| {server} | {statistics.median(row['seconds'] for row in by(server)):.2f} "
              f"| {by_reference(pairs, 'seconds')} "
              f"| {statistics.median(row['cpu'] for row in by(server)):.2f} "
              f"| {by_reference(pairs, 'cpu')} "
              f"| {max(row[memory] for row in by(server)):.1f} |")
    print(flush=True)
