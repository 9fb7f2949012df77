"""The report of tools/gpu-check: gpu-report.json has everything, gpu-report.md what a person wants to see."""

import json

# seconds an epoch of 60,000 images, one H100-class GPU: (network, lanes) -> goal
GOALS = {("mlp-s", 1): 0.030, ("mlp-s", 16): 0.005, ("lenet", 1): 0.025, ("cnn", 1): 0.150}


def table(heads, rows):
    """Markdown, numbers to the right; "" when there are no rows."""
    if not rows:
        return ""
    lines = ["| " + " | ".join(heads) + " |"]
    lines.append("| " + " | ".join("---:" if isinstance(cell, (int, float)) else "---" for cell in rows[0]) + " |")
    lines += ["| " + " | ".join(number(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n\n"


def number(cell):
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def milliseconds(seconds):
    return None if seconds is None else seconds * 1e3


def percent(share):
    return None if share is None else f"{share:.0%}"


def heading(report):
    form = "{name} ({memory_mib} MiB, compute capability {capability}, driver {driver})"
    gpus = ", ".join(form.format(**gpu) for gpu in report["gpus"])
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    title = "No GPU: the double of CUDA stood in for one" if report["double"] else gpus
    return (f"# {title}\n\n{report['date']}, commit {report['commit'] or 'unknown'}; {report['processor']}, "
            f"{report['system']}; {versions}\n\n")


def figures(report, stage):
    return next((r["figures"] for r in report["results"] if r["stage"] == stage and r["figures"]), None)


def training(report):
    rows = []
    torch = {(row["network"], row["variant"]): row["seconds_per_epoch"] for row in figures(report, "pytorch") or []}
    for row in figures(report, "bench") or []:
        ours, theirs, graph = row["seconds_per_epoch"], *(torch.get((row["network"], v)) for v in ("eager", "graph"))
        plain = row["lanes"] == 1 and row["precision"] == "float32"
        goal = GOALS.get((row["network"], row["lanes"])) if row["precision"] == "float32" else None
        rows.append([row["network"], row["batch"], row["lanes"], row["precision"], milliseconds(ours),
                     milliseconds(goal),
                     milliseconds(theirs) if plain else None, milliseconds(graph) if plain else None,
                     theirs / ours if plain and theirs else None,
                     percent(row.get("launch_share")), percent(row.get("share_of_peak")), memory(row)])
    return table(["network", "batch", "lanes", "precision", "ms/epoch per trial", "goal", "PyTorch ms", "as a graph",
                  "times faster", "launch limit", "peak", "memory taken / planned"], rows)


def memory(row):
    taken, planned = row.get("memory"), row.get("predicted_memory")
    return f"{taken / planned:.2f}" if taken and planned else None


def starts(report):
    limits = figures(report, "limits")
    if not limits:
        return ""
    nodes = table(["node", "streams", "starts per microsecond"],
                  [[row["node"], row["streams"], row["per_microsecond"]] for row in limits["node_starts"]])
    steps = table(["lanes", "steps in a graph", f"microseconds per step of {limits['nodes_per_step']} nodes"],
                  [[row["lanes"], row["steps"], row["microseconds_per_step"]] for row in limits["steps_per_graph"]])
    return nodes + steps


def search(report):
    found = figures(report, "search")
    if not found:
        return ""
    return (f"`{found['configuration']}`: {found['trials']} trials in {found['seconds']} s, "
            f"in {found['idle_share']:.1%} of which no trial was training; "
            f"best accuracy {found['best']:.4f}, hypervolume {found['hypervolume']:.4g}.\n\n")


def stages(report):
    rows = [[r["stage"], r["status"], r["seconds"], r["message"].replace("|", "/") or outcome(r["figures"])]
            for r in report["results"]]
    return table(["stage", "", "seconds", ""], rows)


def outcome(found):
    if isinstance(found, dict) and "passed" in found:
        skipped = f"; skipped: {', '.join(found['skipped'])}" if found["skipped"] else ""
        return f"{found['passed']} passed{skipped}"
    return ""


def markdown(report):
    return heading(report) + stages(report) + training(report) + search(report) + starts(report)


def write(folder, report):
    (folder / "gpu-report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (folder / "gpu-report.md").write_text(markdown(report).rstrip() + "\n", encoding="utf-8")
