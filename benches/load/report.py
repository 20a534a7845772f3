"""Medians and ratios, as Markdown."""
import collections
import statistics


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def ratio(rows, reference, key):
    """The median over the rounds of this server's value by the reference's of the same round."""
    by_round = {row["round"]: row[key] for row in reference}
    ratios = [row[key] / by_round[row["round"]] for row in rows if by_round.get(row["round"])]
    return statistics.median(ratios) if ratios else None


def show(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def report(measurements, starts, reference):
    """The whole report. `reference` is the server that the ratios are to."""
    runs = collections.defaultdict(list)
    for row in measurements:
        runs[row["workload"], row["server"]].append(row)
    servers = list(dict.fromkeys(row["server"] for row in starts))
    lines = [
        f"| workload | server | req/s | **of {reference}** | p50 ms | p99 ms | CPU µs/req | CPU of {reference} | others' CPU | bad |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for workload in dict.fromkeys(row["workload"] for row in measurements):
        for server in servers:
            rows = runs.get((workload, server))
            if not rows:
                continue
            base = runs.get((workload, reference), [])
            lines.append(
                f"| {workload} | {server} | {median(rows, 'rps'):,.0f} | {show(ratio(rows, base, 'rps'), 3)} "
                f"| {median(rows, 'p50_us') / 1000:.2f} | {median(rows, 'p99_us') / 1000:.2f} "
                f"| {median(rows, 'cpu_us'):.1f} | {show(ratio(rows, base, 'cpu_us'), 2)} "
                f"| {median(rows, 'other_cpu'):.2f} | {sum(row['bad'] for row in rows)} |")
    lines += [
        "",
        "| server | start to first answer, ms | idle RSS MiB | RSS after load MiB | peak MiB | size MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for server in servers:
        rows = [row for row in starts if row["server"] == server]
        lines.append(
            f"| {server} | {median(rows, 'start_ms'):.0f} | {median(rows, 'idle_mib'):.1f} "
            f"| {median(rows, 'loaded_mib'):.1f} | {median(rows, 'peak_mib'):.1f} | {rows[-1]['size_mib']:.1f} |")
    return "\n".join(lines)
