"""Kills a build at each of its calls to the system, one after the other, and looks at the folder.

Run as a program by test_swap.py: kill_points.py FOLDER swap|renames. It prints one line for
each place: what the folder held right after the kill, and after the next build.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT)]

from builders import a_build, without_last  # noqa: E402

from generator.files import folder_swap  # noqa: E402
from generator.output import bundle  # noqa: E402
from generator.templating.templates import TemplateTree  # noqa: E402

OLD = a_build(body="old text")
NEW = without_last(a_build(body="new text"))
KILLED, DONE = 9, 0


def look(folder: Path, states: dict[str, dict[str, bytes]]) -> str:
    """`old`, `new`, `missing`, or `mixture`; the foreign file must be there too."""
    if not folder.exists():
        return "missing"
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return next((name for name, files in states.items() if files == found), "mixture")


def killed_at(place: int, work: Callable[[], object]) -> bool:
    """Runs `work` in a process that dies before its call number `place`; False if it ended."""
    child = os.fork()
    if child == 0:
        left = place

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event.partition(".")[0] in {"open", "os", "shutil", "ctypes", "fcntl"}:
                left -= 1
                if left == 0:
                    os._exit(KILLED)

        sys.addaudithook(hook)
        work()
        os._exit(DONE)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {KILLED, DONE}, f"place {place}: the build ended with {code}"
    return code == KILLED


def main(root: Path, mode: str) -> None:
    if mode == "renames":
        folder_swap._swapped = lambda *_: False
    folder = root / "contoso"
    foreign = {"notes.txt": b"mine"}
    states = {}
    for name, build in (("old", OLD), ("new", NEW)):
        states[name] = {**bundle.contents(build, TemplateTree.for_project()), **foreign}
    place, alive = 0, True
    while alive:
        place += 1
        shutil.rmtree(root, ignore_errors=True)
        bundle.write(OLD, root)
        (folder / "notes.txt").write_bytes(b"mine")
        alive = killed_at(place, lambda: bundle.write(NEW, root))
        after_kill = look(folder, states)
        # Whoever builds next, the old text or the new, finds a sound folder.
        name, build = [("old", OLD), ("new", NEW)][place % 2]
        bundle.write(build, root)
        repaired = look(folder, states) == name and list(root.iterdir()) == [folder]
        sys.stdout.write(f"{place} {after_kill} {'repaired' if repaired else 'broken'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
