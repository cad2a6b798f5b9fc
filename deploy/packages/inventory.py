"""What is inside a static binary of wxgate: inventory.py TARGET SBOM LICENCES.

SBOM is CycloneDX (JSON), LICENCES the licence texts. Both have the crates that are linked for TARGET, and neither those
of tests and of the build nor procedural macros; and what the linker adds: Rust's and C's own libraries. Same input, same output;
the time is SOURCE_DATE_EPOCH.
"""

import collections
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

target, sbom, licences = sys.argv[1:]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def linked():
    """(name, version) of each crate."""
    tree = run("cargo", "tree", "--locked", "--features", "acme", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe", "--format", "{p}")
    return sorted({(name, version.removeprefix("v")) for name, version, *_ in map(str.split, tree.splitlines())})


def vendored(crate):
    """The version of what a crate brings along: 5.3.1 of 0.7.1+5.3.1-0-g81034ce."""
    return next(package["version"] for package in crates if package["name"] == crate).partition("+")[2].partition("-")[0]


def libraries():
    """What the linker adds; versions of the machine that builds."""
    rust = re.search(r"release: (\S+)", run("rustc", "--version", "--verbose"))[1]
    return [
        ("rust-std", rust, "MIT OR Apache-2.0", f"pkg:generic/rust-std@{rust}"),
        # Inside the crate that builds it, whose terms are only its own.
        ("jemalloc", (jemalloc := vendored("tikv-jemalloc-sys")), "BSD-2-Clause", f"pkg:github/jemalloc/jemalloc@{jemalloc}"),
        ("glibc", (libc := run("getconf", "GNU_LIBC_VERSION").split()[1]), "LGPL-2.1-or-later", f"pkg:generic/glibc@{libc}"),
        ("libgcc", (gcc := run("cc", "-dumpfullversion").strip()), "GPL-3.0-or-later WITH GCC-exception-3.1", f"pkg:generic/libgcc@{gcc}"),
    ]


metadata = json.loads(run("cargo", "metadata", "--locked", "--features", "acme", "--format-version", "1", "--filter-platform", target))
packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
crates = [packages[crate] for crate in linked()]
root = next(package for package in crates if package["id"] == metadata["resolve"]["root"])
crates.remove(root)
lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())["package"]
checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock}


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def licence(package):
    # "MIT/Apache-2.0" is how it was written before SPDX.
    return " ".join((package["license"] or "").replace("/", " OR ").split())


def component(package):
    return {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "hashes": [{"alg": "SHA-256", "content": checksums[package["name"], package["version"]]}],
        "licenses": [{"expression": licence(package)}],
        "purl": purl(package),
    }


def dependencies():
    known = {package["id"]: purl(package) for package in [root, *crates]}
    for node in metadata["resolve"]["nodes"]:
        if node["id"] in known:
            normal = [edge["pkg"] for edge in node["deps"] if any(kind["kind"] is None for kind in edge["dep_kinds"])]
            refs = sorted({known[dependency] for dependency in normal if dependency in known})
            if node["id"] == root["id"]:
                refs += [reference for *_, reference in libraries()]
            yield {"ref": known[node["id"]], "dependsOn": refs}


def bill():
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
    added = [
        {"type": "library", "bom-ref": reference, "name": name, "version": version, "licenses": [{"expression": terms}], "purl": reference}
        for name, version, terms, reference in libraries()
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": purl(root),
                "name": root["name"],
                "version": root["version"],
                "licenses": [{"expression": licence(root)}],
                "purl": purl(root),
            },
            "properties": [{"name": "target", "value": target}],
        },
        "components": [component(package) for package in crates] + added,
        "dependencies": sorted(dependencies(), key=lambda entry: entry["ref"]),
    }
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document))}"
    return json.dumps(document, indent=1) + "\n"


def texts():
    """Each text once, under the names of all crates that have it."""
    users = collections.defaultdict(list)
    wording = {}
    for package in crates:
        folder = pathlib.Path(package["manifest_path"]).parent
        found = [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if re.match(r"(?i)(licen[cs]e|copying|notice|unlicense)", path.name)]
        for path in sorted(found):
            if path.is_file() and path.suffix not in (".rs", ".py", ".json"):
                text = "\n".join(line.rstrip() for line in path.read_text(errors="replace").strip().splitlines())
                # Some differ in their line breaks alone.
                text = wording.setdefault(" ".join(text.lower().split()), text)
                users[text].append(f"{package['name']} {package['version']}")
    yield "wxgate contains the following. Crates, with their terms:\n"
    yield from (f"  {package['name']} {package['version']}: {licence(package)}" for package in crates)
    yield "\nAnd of the compiler and the C library:\n"
    yield from (f"  {name} {version}: {terms}" for name, version, terms, _ in libraries())
    for text, names in sorted(users.items(), key=lambda entry: entry[1]):
        yield f"\n{'=' * 100}\n{', '.join(dict.fromkeys(names))}\n{'=' * 100}\n\n{text}"


pathlib.Path(sbom).write_text(bill())
pathlib.Path(licences).write_text("\n".join(texts()) + "\n")
