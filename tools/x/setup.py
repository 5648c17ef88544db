"""Sets up what is missing: Debian packages, Rust, the Python environments."""

import hashlib
import os
import shutil
import subprocess
import sys

from shell import LLVM, ROOT, VENV, VENV_TORCH, Failed, have, run, say

DEBIAN_PACKAGES = [
    "llvm-22", "llvm-22-dev", "llvm-22-tools", "libmlir-22-dev", "mlir-22-tools", "libpolly-22-dev",
    "clang-22", "libclang-22-dev", "lld-22",
    "g++", "libzstd-dev", "zlib1g-dev", "libffi-dev", "libxml2-dev", "libncurses-dev",
]
SECURITY = "deb http://deb.debian.org/debian-security bookworm-security main"
RUST = (1, 95)
REQUIREMENTS = {
    VENV: ROOT / "tools" / "models" / "requirements.txt",
    VENV_TORCH: ROOT / "tools" / "models" / "requirements-torch.txt",
}


def debian_missing():
    """The packages that dpkg does not know as installed."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted_packages()]
    found = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in found.splitlines() if line.endswith(" installed")}
    return [p for p in wanted_packages() if p not in installed]


def wanted_packages():
    """Debian splits `venv` from Python; other Pythons bring it."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        return [*DEBIAN_PACKAGES, "python3-venv"]
    return DEBIAN_PACKAGES


def without_candidate(packages):
    """Those of these packages that no archive of this machine has."""
    found = subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True, check=False).stdout
    candidates = set()
    name = None
    for line in found.splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:") and "(none)" not in line:
            candidates.add(name)
    return [p for p in packages if p not in candidates]


def setup_debian():
    """Installs missing packages as root; otherwise says what root must run."""
    if not have("dpkg-query"):
        if not (LLVM / "bin" / "mlir-opt").exists():
            raise Failed(f"this is not Debian; put LLVM and MLIR 22 (static, with headers) under {LLVM}")
        return
    missing = debian_missing()
    if not missing:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise Failed("these packages need root; run this, then repeat:\n  sudo apt-get update && sudo " + " ".join(install))
    say(f"installing {len(missing)} Debian packages")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run(["apt-get", "update", "-q"], env=env, stdout=sys.stderr)
    unknown = without_candidate(missing)
    if unknown:
        raise Failed(
            f"no archive of this machine has {', '.join(unknown)}.\n"
            f"On Debian 12 LLVM 22 comes with the security updates; if these are not among the sources, add them, then repeat:\n"
            f"  echo '{SECURITY}' > /etc/apt/sources.list.d/bookworm-security.list"
        )
    run(install, env=env, stdout=sys.stderr)


def setup_rust():
    """Rust is the user's; only its version is checked."""
    if not have("cargo"):
        raise Failed(f"no cargo; install Rust {RUST[0]}.{RUST[1]} or later from https://rustup.rs")
    text = subprocess.run(["cargo", "--version"], capture_output=True, text=True, cwd=ROOT, check=False).stdout
    version = tuple(int(part) for part in text.split()[1].split("-")[0].split(".")[:2])
    if version < RUST:
        raise Failed(f"{text.strip()} is too old; run: rustup update")


def setup_venv(venv):
    """Makes a virtual environment from its pinned requirements, once."""
    requirements = REQUIREMENTS[venv]
    stamp = venv / "requirements.stamp"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and (venv / "bin" / "python").exists():
        return
    say(f"installing {requirements.name} into {venv.name}")
    if not (venv / "bin" / "pip").exists():
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", venv])
    pip = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--retries", "10", "-r", requirements], stdout=sys.stderr)
    stamp.write_text(wanted)


def setup(torch=False):
    """Everything that building and testing need; milliseconds when all is there."""
    if sys.version_info < (3, 11):
        raise Failed(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}")
    setup_debian()
    setup_rust()
    setup_venv(VENV)
    if torch:
        setup_venv(VENV_TORCH)
