"""What the counts depend on beside wxgate's own code: tools, libraries, and the processor that valgrind shows."""

import os
import platform
import re
import subprocess
import tomllib
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("aws-lc-sys", "h2", "http", "hyper", "rustls", "tokio")
TOOLS = ("h2load", "valgrind")
VERSION = re.compile(r"\d+\.\d+\.\d+\S*")


def describe() -> dict[str, str]:
    """By name; the same on two machines whose counts may be compared."""
    known = machine.tools()
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "libc": os.confstr("CS_GNU_LIBC_VERSION") or "?",
        "rustc": _version("rustc", "--version"),
        "cc": _version("cc", "--version"),
        "nginx": _version("/usr/sbin/nginx", "-v"),
        **{name: known[name] for name in TOOLS},
        **_libraries(),
    }


def differences(now: dict[str, str], then: dict[str, str]) -> list[str]:
    """One line for each that is not what it was."""
    return [
        f"{name}: {then.get(name, 'not there')} then, {now.get(name, 'not there')} now"
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]


def _version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = VERSION.search(done.stdout + done.stderr)
    return found.group() if found else "?"


def _libraries() -> dict[str, str]:
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in locked if package["name"] in LIBRARIES}


def _processor() -> str:
    """Valgrind shows one of a few of its own making, whatever the machine has: which one, the loader can tell."""
    loader = next(Path("/lib64").glob("ld-linux-*"), None) or next(Path("/lib").glob("ld-linux-*"))
    command = ["valgrind", "-q", "--tool=none", str(loader), "--list-diagnostics"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"^x86\.cpu_features\.(basic\.family|basic\.model|isa_1)=(\w+)$", said, re.MULTILINE))
    return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in sorted(found.items())) or "?"
