"""The table of `./x models`: what ptxas makes of each model's PTX, and docs/bench/ptx.md."""

import datetime

import ptxas
from shell import ROOT

PAGE = ROOT / "docs" / "bench" / "ptx.md"
HEADINGS = ["model", "kernels", "distinct PTX", "errors", "spilled bytes", "stack bytes"]


def per_target(n_files):
    """Kernels for one target; a model has a file for each kernel and target."""
    n_kernels, rest = divmod(n_files, len(ptxas.TARGETS))
    return str(n_kernels) if rest == 0 else f"{n_files / len(ptxas.TARGETS):.1f}"


def cells(name, files, n_problems, facts):
    """One line of the table, for the digests of one model or of all."""
    found = [facts[digest][1] for digest in set(files)]
    n_errors = n_problems + sum(done.error is not None for done in found)
    spills, stack = sum(done.spills for done in found), sum(done.stack for done in found)
    return [name, per_target(len(files)), len(found), n_errors, spills, stack]


def table(rows, facts):
    """The markdown table; its last line counts what models share once."""
    lines = [cells(row.name, row.files, len(row.problems), facts) for row in rows]
    files = [digest for row in rows for digest in row.files]
    lines.append(cells("**all**", files, sum(len(row.problems) for row in rows), facts))
    head = [HEADINGS, ["---"] + ["--:"] * (len(HEADINGS) - 1)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in head + lines)


def page(rows, facts):
    """The whole page."""
    return (
        "# PTX of every model\n\n"
        f"Written by `./x models` on {datetime.date.today().isoformat()}, {ptxas.ptxas_version()}.\n\n"
        f"Each model is compiled for {', '.join(ptxas.TARGETS)}. "
        "Every different PTX text is assembled by `ptxas -v` for the target that it names.\n"
        "`kernels` counts those of one target (the mean, where targets differ), `distinct PTX` the different texts\n"
        "of all targets, `errors` compiles and texts that failed. The last line counts a text of several models once.\n\n"
        + table(rows, facts)
    )


def report(folders, out, keep):
    """Compiles and assembles the models of these folders, prints the table, and
    keeps it in docs where `keep` says so; gives what is wrong."""
    rows, facts = ptxas.survey([folder / "model.onnx" for folder in folders], out)
    print(table(rows, facts), end="", flush=True)
    if keep:
        PAGE.write_text(page(rows, facts))
    return ptxas.problems(rows, facts)
