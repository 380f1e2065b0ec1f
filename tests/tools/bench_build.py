"""How fast a build is, against its limits: `make bench` runs it; `--help` lists its options.

Every number is a ratio of two things measured in this run, one after the other in turns, each in
a process of its own. A whole build stands beside bare Jinja: the same templates as includes of
one, without sandbox, rules and hashes, its values made ready before the clock starts, the same
bytes written. Growth is the exponent of the time over the number of servers (1 is linear).
`--help` and `validate` stand beside a Python that starts and imports click.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from organizations import large

from generator import cli, pipeline
from generator.documents import runsheet
from generator.model.build import Build, Piece, RenderedRunbook
from generator.model.plan import Runbook, Step
from generator.planning import plan, roles
from generator.rendering import launcher, render
from generator.templating import environment, markdown
from generator.templating.marks import Marked
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[2]
TREE = TemplateTree.for_project()
SPINE = "_runbook/runbook.ps1.j2"

STEP = (
    "kind", "heading", "lines", "number", "step_id", "title", "text_hash", "follows", "flags",
    "blocks", "bodies",
)  # fmt: skip
SCRIPT = f"""\
{{% include '{SPINE}#header' %}}

{{% include '_runbook/parameters.ps1' %}}

{{% include '{SPINE}#facts' %}}

{{% include '{SPINE}#product' %}}

{{% for {", ".join(STEP)} in work %}}
{{%     include '{SPINE}#step' %}}

{{% endfor %}}
{{% for part in parts %}}
{{%     include part %}}

{{% endfor %}}
{{% include '_runbook/engine.ps1' %}}
"""


# --- the two sides: what is timed in a process of its own -------------------------------


def build_side(inventory: Path, out: Path) -> dict[str, float]:
    """The whole build, from the text of the inventory to the last file."""
    begin = time.perf_counter(), time.process_time()
    if cli.run(["build", str(inventory), "--out", str(out)]) != 0:
        raise SystemExit(f"{inventory} was not built")
    return measured(*begin)


def bare_side(inventory: Path, out: Path) -> dict[str, float]:
    """The same files from Jinja alone; they are compared with those of a build afterwards."""
    expected = out.with_name(f"{out.name}.expected")
    build_side(inventory, expected)
    built, names = bare_names(inventory)
    scripts = jinja2.Environment(
        loader=jinja2.FunctionLoader(bare_source),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )
    scripts.filters |= environment.FILTERS
    sheets = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TREE.roots),
        finalize=lambda v: v if isinstance(v, markdown.Markdown) else markdown.text(v),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    sheets.filters |= markdown.FILTERS
    summaries = [script.summary for script in built.rendered]
    sheet = runsheet.values(built, summaries)
    folder = out / built.folder
    # What was made ready is not walked by the collector while the clock runs.
    gc.freeze()
    begin = time.perf_counter(), time.process_time()
    (folder / "undo").mkdir(parents=True)
    template = scripts.get_template("script")
    for one, values in zip(summaries, names, strict=True):
        text = template.render(values)
        (folder / one.runbook.file).write_text(text, "utf-8", newline="\r\n")
    text = sheets.get_template(runsheet.TEMPLATE).render(sheet)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"
    (folder / runsheet.NAME).write_text(text, "utf-8")
    # The launcher is a table of hashes, as these are lists of them.
    for name in (launcher.NAME, "manifest.json", "SHA256SUMS"):
        (folder / name).write_bytes((expected / built.folder / name).read_bytes())
    found = measured(*begin)
    for path in (expected / built.folder).rglob("*"):
        own = path.relative_to(expected / built.folder)
        if path.is_file() and (folder / own).read_bytes() != path.read_bytes():
            raise SystemExit(f"bare Jinja writes other bytes: {own}")
    shutil.rmtree(expected)
    return found


def measured(wall: float, processor: float) -> dict[str, float]:
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


# --- bare Jinja: the templates of the tree as plain includes ----------------------------


def bare_source(name: str) -> str | None:
    """A whole file, or with `#block` the text of one of its blocks."""
    if name == "script":
        return SCRIPT
    file, _, block = name.partition("#")
    path = TREE.find(file)
    assert path is not None, name
    text = path.read_text("utf-8")
    if not block:
        plain = text.rstrip("\n") + "\n"
        return f"{{% raw %}}{plain}{{% endraw %}}" if file.endswith(".ps1") else text
    found = re.search(rf"{{% block {block} %}}\n(.*?){{% endblock %}}", text, re.DOTALL)
    assert found is not None, name
    body = re.sub(r"\{\{ (blocks\.\w+|block\.text) \}\}", r"{% include \1 %}", found[1])
    return body if file == SPINE else found[1]


class Watched(render.Renderer):
    """A renderer that remembers what it told the spine for each runbook, by its id.

    Blocks stand there as the names of their includes.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names: dict[str, dict[str, Any]] = {}

    def _work(self, runbook: Runbook) -> tuple[list[str], tuple[str, ...]]:
        self._now = self.names[runbook.id] = {"work": []}
        self._shell = f"{runbook.definition.product}/shell.ps1.j2"
        return super()._work(runbook)

    def _step_blocks(self, step: Step, names: dict[str, Any]) -> dict[str, Marked]:
        found = super()._step_blocks(step, names)
        self._includes = {n: f"{step.definition.template}#{n}" if found[n] else "" for n in found}
        return found

    def _spine(self, block: str, names: dict[str, Any]) -> str:
        if block == "step":
            bodies = [
                {
                    **body,
                    "text": next(
                        f for n, f in self._includes.items() if names["blocks"][n] is body["text"]
                    ),
                }
                for body in names["bodies"]
            ]
            shown = {"wanted": "", "diagnosis": "", **self._includes}
            told = {**names, "bodies": bodies, "blocks": shown}
            self._now["work"].append(tuple(told[key] for key in STEP))
        else:
            known = names["blocks"].items()
            blocks = {name: f"{self._shell}#{name}" if text else "" for name, text in known}
            self._now |= {**names, "blocks": blocks}
        return super()._spine(block, names)

    def _script(
        self,
        runbook: Runbook,
        work: Sequence[Piece],
        names: dict[str, Any],
        wanted: tuple[str, ...],
    ) -> RenderedRunbook:
        script = super()._script(runbook, work, names, wanted)
        known = self.names[runbook.id]
        parts = [piece.template for piece in work if piece.template.startswith("_runbook/engine_")]
        known |= {**names, "own_hash": script.content_hash, "parts": parts}
        return script


def bare_names(inventory: Path) -> tuple[Build, list[dict[str, Any]]]:
    """What the one template is told for each script: blocks are the names of their includes."""
    products = roles.load_products(TREE, environment.make(TREE))
    phases, go = roles.load_phases(TREE), roles.load_go(TREE, environment.make(TREE))
    planned = plan.make(pipeline.load(inventory, TREE), products, phases, go)
    scripts = Watched(planned, products, TREE)
    deque(scripts.scripts(), maxlen=0)
    return render.make(planned, products, TREE), list(scripts.names.values())


# --- what is measured ---------------------------------------------------------------------


def side(name: str, servers: int, folder: Path) -> dict[str, float]:
    """One side in a process of its own; its output is deleted again."""
    inventory = folder / f"large{servers}.yml"
    inventory.write_text(large(servers), "utf-8")
    out = folder / "out"
    command = [sys.executable, __file__, "--side", name, str(inventory), str(out)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    shutil.rmtree(out)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def whole_build(servers: int, rounds: int, folder: Path) -> None:
    sides: dict[str, list[dict[str, float]]] = {"bare": [], "build": []}
    for _ in range(rounds):
        for name, found in sides.items():
            found.append(side(name, servers, folder))
    say(f"whole build of {servers} servers beside bare Jinja (goal: at most 2)")
    for kind in ("wall", "processor"):
        times = {
            name: statistics.median(one[kind] for one in found) for name, found in sides.items()
        }
        ratio = times["build"] / times["bare"]
        say(f"  {kind:<10} {ratio:5.2f}   {times['build']:.2f} s to {times['bare']:.2f} s")


def growth(sizes: list[int], rounds: int, folder: Path) -> None:
    say("growth (goal: exponent at most 1.05, at most 200 MiB)")
    seconds: dict[int, float] = {}
    for servers in sizes:
        found = [side("build", servers, folder) for _ in range(rounds if servers < 3000 else 1)]
        seconds[servers] = statistics.median(one["processor"] for one in found)
        memory = max(one["memory"] for one in found)
        say(f"  {servers:>6} servers {seconds[servers]:8.2f} s {memory:6.0f} MiB")
    # What a build of no server costs is no growth.
    xs = [math.log(size) for size in sizes]
    ys = [math.log(seconds[size]) for size in sizes]
    say(f"  exponent   {statistics.linear_regression(xs, ys).slope:5.2f}, all sizes")
    slope = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    say(f"  exponent   {slope:5.2f}, from {sizes[-2]} to {sizes[-1]}")


def start_up(rounds: int) -> None:
    program = [sys.executable, "-m", "generator"]
    commands = {
        "python and click": [sys.executable, "-c", "import click"],
        "runbook --help": [*program, "--help"],
        "validate litwareinc": [*program, "validate", "inventories/litwareinc.yml"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            times[name].append(time.perf_counter() - begin)
    base = statistics.median(times["python and click"])
    say(f"start-up beside Python that imports click, {base * 1000:.0f} ms (goal: at most 2.5)")
    for name, found in list(times.items())[1:]:
        middle = statistics.median(found)
        say(f"  {name:<20} {middle / base:5.2f}   {middle * 1000:.0f} ms")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=2000, help="of the whole build")
    parser.add_argument("--growth", default="100,1000,10000", help="numbers of servers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=("start", "whole", "growth"), default=[])
    parser.add_argument("--folder", type=Path, help="where to write (default: a RAM disk)")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        name, inventory, out = arguments.side
        run = {"build": build_side, "bare": bare_side}[name]
        say(json.dumps(run(Path(inventory), Path(out))))
        return
    parts = arguments.only or ["start", "whole", "growth"]
    memory = Path("/dev/shm")
    place = arguments.folder or (memory if memory.is_dir() else None)
    with tempfile.TemporaryDirectory(dir=place, prefix="bench-") as folder:
        if "start" in parts:
            start_up(5 * arguments.rounds)
        if "whole" in parts:
            whole_build(arguments.servers, arguments.rounds, Path(folder))
        if "growth" in parts:
            sizes = [int(size) for size in arguments.growth.split(",")]
            growth(sizes, arguments.rounds, Path(folder))


if __name__ == "__main__":
    main()
