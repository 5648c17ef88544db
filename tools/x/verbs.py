"""The verbs of `./x`."""

import os
import sys
import time

from setup import setup
from shell import MODELS, ROOT, TARGET, Failed, binary, cargo, python, run, say


def build(*packages):
    """Builds some of our programs."""
    if not (TARGET / "release").exists():
        say("building; the first time takes some minutes")
    cargo("build", "--release", "--quiet", *(word for package in packages for word in ("-p", package)))


def verb_setup(arguments):
    """install what is missing (Debian packages, .venv); `--torch` also for `models` and `bench`"""
    setup(torch="--torch" in arguments)


def verb_run(arguments):
    """read a line of text from a picture with a compiled model: run [FILE.png]"""
    setup()
    build("read-text", "cli")
    python("tools/models/fetch.py", "ppocr_rec")
    picture = arguments or [ROOT / "tests" / "models" / "line.png"]
    return run([binary("read-text"), ROOT / "models" / "ppocr_rec" / "model.onnx", *picture], check=False).returncode


def verb_test(arguments):
    """run every test; `--bless` extends the lists of ONNX cases that pass; `--only STEP` repeats one"""
    import testing

    return testing.main(arguments)


def verb_models(arguments):
    """fetch or export every test model, or the ones named, with ONNX Runtime's outputs; assemble their PTX"""
    setup(torch=True)
    build("cli")
    import models
    import ptx_page
    import suites

    models.prepare(arguments)
    folders = [MODELS / name for name in arguments] or suites.model_folders(("test", "models"))
    wrong = ptx_page.report(folders, TARGET / "ptx-models", keep=not arguments)
    for problem in wrong:
        say(problem)
    return 1 if wrong else 0


def verb_bench(arguments):
    """compare with ONNX Runtime on every model and write docs/bench/host.md; `bench linalg`: kernels with MLIR's own"""
    if arguments == ["linalg"]:
        import linalg_page

        setup()
        return linalg_page.report()
    setup(torch=True)
    build("cli")
    import models

    names = [a for a in arguments if not a.startswith("-") and not a.isdigit()]
    models.prepare(names)
    python("tools/models/bench.py", *arguments)


def verb_gpu_bundle(_arguments):
    """pack what gpu-check needs: target/gpu-check.tar.xz, for a machine with a GPU and no tools"""
    setup()
    cargo("build", "--release", "--quiet", "-p", "cli")
    import gpu

    gpu.bundle()


def verb_gpu_check(arguments):
    """check and time every kernel on this machine's NVIDIA GPU: gpu-check [BUNDLE] [--only STEP] [--minutes N]"""
    import gpu

    return gpu.check(arguments)


def verb_lint(_arguments):
    """formatting and clippy, warnings are errors"""
    setup()
    cargo("fmt", "--all", "--check")
    cargo("clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings")


def verb_docs(arguments):
    """write the generated pages under docs/; `--check` only compares"""
    setup()
    cargo("run", "--quiet", "-p", "xtask", "--", "docs", *arguments)


VERBS = {
    name.removeprefix("verb_").replace("_", "-"): function
    for name, function in list(globals().items())
    if name.startswith("verb_")
}


def usage():
    """The list of verbs, from their own descriptions."""
    print("usage: ./x VERB [ARGUMENT]...\n")
    for name, function in VERBS.items():
        print(f"  {name:<11}{function.__doc__}")


def main(arguments):
    """Runs one verb; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        usage()
        return 0
    if arguments[0] not in VERBS:
        print(f"x: no verb {arguments[0]!r}; ./x alone lists them", file=sys.stderr)
        return 2
    # What is tested or measured is compiled, and not taken from an earlier compile.
    os.environ["TENFOLD_CACHE_DIR"] = ""
    start = time.monotonic()
    try:
        code = VERBS[arguments[0]](arguments[1:]) or 0
    except Failed as failure:
        say(failure)
        return 1
    except KeyboardInterrupt:
        return 130
    if arguments[0] not in ("run", "test"):  # their last line is their result
        say(f"{arguments[0]}: {time.monotonic() - start:.1f} s")
    return code
