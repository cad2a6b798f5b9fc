"""What it was measured on."""

import os
import platform
import re
import subprocess
from pathlib import Path


def describe() -> dict[str, str | int]:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": found[1] if found else platform.machine(),
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "load": Path("/proc/loadavg").read_text().strip(),
    }


def tools() -> dict[str, str]:
    """The versions of the load's programs."""
    asked = {
        "wrk": ["wrk", "-v"],
        "h2load": ["h2load", "--version"],
        "curl": ["curl", "--version"],
        "valgrind": ["valgrind", "--version"],
        "openssl": ["openssl", "version"],
    }
    versions = {}
    for name, command in asked.items():
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found = re.search(r"\d+\.\d+\.\d+", said)
        versions[name] = found.group() if found else "?"
    return versions
