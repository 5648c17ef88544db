"""What `gpu-check` found, as a page and as JSON. As a program it prints the page of a check that was not run yet."""

import json
import re

import problems

WHO = ("tenfold", "torch", "torch.compile", "XLA")
NOT_RUN = "not yet run"


def failures(found):
    """Everything that is wrong, as lines."""
    wrong = []
    for step in ("cases", "models", "small"):
        for kind, result in found["steps"].get(step, {}).items():
            if kind == "seconds":
                continue
            if "error" in result:
                wrong.append(f"{kind}: {result['error']}")
            wrong += [f"{kind}: {lost['name']}: {lost['reason']}" for lost in result.get("lost", [])]
    for result in found["steps"].get("large", {}).get("large problems", []):
        if not result.get("right"):
            wrong.append(f"{result['name']}: {result.get('error', result.get('difference'))}")
    for row in found["steps"].get("times", {}).get("rows", []):
        error = row.get("error") or row["tenfold"].get("error")
        if error:
            wrong.append(f"time of {row['name']}: {error}")
    return wrong


def counts(found):
    """The table of the checks, with full denominators."""
    lines = ["| check | passed | of | had to pass |", "|---|--:|--:|--:|"]
    for step in ("cases", "models", "small"):
        for kind, result in found["steps"].get(step, {}).items():
            if kind != "seconds":
                cells = [result.get(key, "error") for key in ("passed", "all", "must")]
                lines.append(f"| {kind} | {' | '.join(map(str, cells))} |")
    large = found["steps"].get("large", {}).get("large problems")
    if large is not None:
        n_right = sum(bool(result.get("right")) for result in large)
        lines.append(f"| large problems against PyTorch | {n_right} | {len(large)} | {len(large)} |")
    return [*lines, ""] if len(lines) > 2 else []


def limit_us(problem, limits):
    """The fewest microseconds that the chip's measured limits allow."""
    rate = limits["copy"] if problem.limit() == "copy" else limits[problem.dtype]
    return (problem.moved() if problem.limit() == "copy" else problem.flops()) / rate * 1e6


def cell(row, who):
    """A time, or why there is none."""
    found = row.get(who, {})
    return f"{found['us']:.1f}" if "us" in found else ("failed" if "error" in found else NOT_RUN)


def line(problem, row, limits):
    """One row of the table of times."""
    cells = [problem.name, *(cell(row, who) for who in WHO)]
    ours = row.get("tenfold", {}).get("us")
    others = [row[who]["us"] for who in WHO[1:] if "us" in row.get(who, {})]
    limit = limit_us(problem, limits) if limits else None
    cells.append(f"{limit:.1f}" if limit else NOT_RUN)
    cells.append(f"{limit / ours:.2f}" if limit and ours else NOT_RUN)
    cells.append(f"{min(others) / ours:.2f}" if others and ours else NOT_RUN)
    return f"| {' | '.join(cells)} |"


def times(found):
    """The table of times: every problem, run or not."""
    step = found["steps"].get("times", {})
    limits, rows = step.get("limits"), {row["name"]: row for row in step.get("rows", [])}
    heads = ["problem", *(f"{who}, us" for who in WHO), "limit, us", "limit / tenfold", "best peer / tenfold"]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'--:|' * (len(heads) - 1)}"]
    return lines + [line(problem, rows.get(problem.name, {}), limits) for problem in problems.LARGE]


def page(found):
    """The whole page."""
    about = found["environment"]
    gpu = about.get("gpu")
    head = [f"# {gpu or 'NVIDIA GPU'}: correctness and times", ""]
    if gpu:
        versions = ", ".join(f"{name} {about[name]}" for name in ("torch", "triton", "jax") if about.get(name))
        head += [f"Written by `./x gpu-check` on {about['date']}; {versions}.", ""]
    else:
        head += ["Not yet run: `./x gpu-bundle`, then `./x gpu-check` on a machine with an NVIDIA GPU, fills this page.", ""]
    head += [
        "Times are of the device, between events: random data, caches emptied before each run, the median of 30.",
        "XLA's are by the wall clock over calls in a row, caches warm. torch.compile is `max-autotune`: the best of cuBLAS,",
        "cuDNN and Triton. The limit is what a copy of 1 GiB or cuBLAS's 8192x8192x8192 product (4096 for f32) reached in",
        "the same run; a number above 1 in the last column means that Tenfold is faster.", "",
    ]
    wrong = failures(found)
    tail = ["", "## What failed", "", *(f"- {text}" for text in wrong)] if wrong else []
    return "\n".join([*head, *counts(found), *times(found), *tail, ""])


def write(found, folder):
    """Writes both files; gives the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", (found["environment"].get("gpu") or "rehearsal").lower()).strip("-")
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    path = folder / f"{name}.md"
    path.write_text(page(found))
    return path


if __name__ == "__main__":
    print(page({"environment": {}, "steps": {}}), end="")
