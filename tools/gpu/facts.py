"""What a figure needs beside it: device, driver, versions, machine, commit, date. Never fails: what cannot be told is
""."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def output(*command):
    try:
        run = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def processor():
    try:
        names = re.findall(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        names = []
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def commit(project, packed):
    """A copy of the working tree without its history has the commit that was packed with its libraries."""
    described = output("git", "-C", project, "describe", "--always", "--dirty", "--abbrev=12")
    file = packed / "commit"
    return described or (file.read_text(encoding="utf-8").strip() if file.exists() else "")


def gpus():
    """[{"name", "memory_mib", "capability", "driver"}], by nvidia-smi."""
    fields = ("name", "memory.total", "compute_cap", "driver_version")
    rows = output("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits")
    found = []
    for row in rows.splitlines():
        cells = [cell.strip() for cell in row.split(",")]
        if len(cells) == len(fields):
            found.append(dict(zip(("name", "memory_mib", "capability", "driver"), cells)))
    return found


def versions(nvcc):
    return {
        "nvcc": (re.findall(r"V([\d.]+)", output(nvcc, "--version")) or [""])[0],
        "compiler": output("cc", "--version").partition("\n")[0],
        "torch": output("python3", "-c", "from importlib import metadata; print(metadata.version('torch'))"),
    }


def all_facts(project, packed, nvcc):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(project, packed),
        "processor": processor(),
        "system": f"{platform.system()} {platform.release()}",
        "gpus": gpus(),
        "versions": versions(nvcc),
    }
