"""The template tree: built-in templates, overlaid by path with those of the project.

This is the one place that turns names, which files give, into files: a name stays below the
roots, and what it finds is a plain file there, also after every link is followed.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from generator.errors import GeneratorError, UsageError
from generator.files import below, named
from generator.files.named import UnreadableError, Why
from generator.findings import Finding, FindingsError, show
from generator.templating import marks
from generator.visible import visible

SPINE = "_runbook"

MAX_BYTES = 1024 * 1024
"""Of a file of the templates. The largest built-in one has less than 64 KiB."""

LONGEST_PART = 255
"""Bytes of a file name, the limit of NTFS, APFS and the file systems of Linux."""

ENDINGS = (".j2", ".yml", ".ps1")
"""What the names of templates end with; other files in their folders are never read."""

_PRODUCT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME_HINT = "name a file below the templates folder, with '/' between the folders"


class RefusedNameError(GeneratorError):
    """A name that no template can have; the message quotes it and says why."""


def built_in() -> Path:
    """The folder shipped with the package, or the one beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "templates"
    return shipped if shipped.is_dir() else package.parent / "templates"


def refuse(name: str) -> None:
    """Raises RefusedNameError for a name that could lead out of a folder, here or on Windows."""
    parts = name.split("/")
    if name.startswith("/"):
        reason = "begins with '/'"
    elif "\\" in name:
        reason = "has a backslash"
    elif ":" in name:
        reason = "has a colon, as a drive has"
    elif _CONTROL.search(name):
        reason = "has a control character"
    elif ".." in parts:
        reason = "has the part '..'"
    elif "" in parts or "." in parts:
        reason = "has an empty part"
    elif any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_PART for part in parts):
        reason = f"has a part of more than {LONGEST_PART} bytes"
    else:
        return
    raise RefusedNameError(f"the template name {show(name)} {reason}; {_NAME_HINT}")


def beside(folder: str, reference: str) -> str:
    """The name that a file in `folder` means by `reference`, which may go up with '..'.

    Raises RefusedNameError where it leaves the templates.
    """
    name = posixpath.normpath(f"{folder}/{reference}")
    if reference.startswith("/") or not reference:
        raise RefusedNameError(f"the file name {show(reference)} is not relative; {_NAME_HINT}")
    if name.split("/")[0] == "..":
        raise RefusedNameError(
            f"the file name {show(reference)} leaves the templates; {_NAME_HINT}"
        )
    refuse(name)
    return name


@dataclass(frozen=True, slots=True)
class TemplateTree:
    """Folders of templates, the first one wins."""

    roots: tuple[Path, ...]
    name: str = "templates"
    """How the user calls the first one."""

    @classmethod
    def for_project(cls, own: Path | None = None) -> TemplateTree:
        """The built-in tree, overlaid by the folder `own` when it is another one that exists."""
        base = built_in()
        if own is not None and not own.is_dir():
            raise UsageError(f"{own}: there is no folder of templates here")
        if own is None or own.resolve() == base:
            return cls((base,))
        return cls((own.resolve(), base), own.as_posix())

    def find(self, name: str) -> Path | None:
        """The plain file that serves this name (`product/schema.yml`), or None.

        Raises RefusedNameError for a name that no template can have, and FindingsError where
        something else stands in the place of the file.
        """
        refuse(name)
        for root in self.roots:
            if (path := self._below(root, name)) is not None:
                return path
        return None

    def text(self, path: Path) -> str:
        """The text of a file that was found; raises FindingsError for one that cannot be read."""
        line, column = 0, 0
        try:
            text = named.read(path, MAX_BYTES).decode("utf-8")
            mark = next((one for one in marks.CHARACTERS if one in text), None)
            if mark is None:
                # A checkout on Windows has other line ends.
                return text.replace("\r\n", "\n").replace("\r", "\n")
            line, column = text[: text.index(mark)].count("\n") + 1, 1
            code = "T227"
            message = f"the control character U+{ord(mark):04X} must not stand in a template"
            hint = "delete it, or write the value through the filter ps"
        except UnicodeDecodeError as error:
            line, column = error.object[: error.start].count(b"\n") + 1, 1
            code = "T227"
            message = f"the byte 0x{error.object[error.start]:02X} is not UTF-8 text"
            hint = "save the file as UTF-8"
        except UnreadableError as error:
            code = "T219" if error.why is Why.LARGE else "T227"
            message, hint = error.reason, ""
        raise FindingsError([Finding(code, message, self.display(path), line, column, hint)])

    def display(self, path: Path) -> str:
        """How messages name a file of the tree: `templates/product/schema.yml`."""
        for root in self.roots:
            if path.is_relative_to(root):
                return f"templates/{path.relative_to(root).as_posix()}"
        return path.as_posix()

    def named(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings, with files of the first folder called as the user calls it."""

        def called(one: Finding) -> Finding:
            name = one.file.removeprefix("templates/")
            own = name != one.file and os.path.lexists(self.roots[0] / name)
            return replace(one, file=f"{self.name}/{name}") if own else one

        return tuple(map(called, findings))

    def products(self) -> tuple[str, ...]:
        """Folders with a product.yml, by name."""
        return self._folders_with("", "product.yml")

    def roles(self, product: str) -> tuple[str, ...]:
        """Folders of a product with a role.yml, by name."""
        return self._folders_with(product, "role.yml")

    def files(self, ending: str) -> tuple[str, ...]:
        """Names of all files with this ending (`.j2`), each once, sorted."""
        found = {name for root in self.roots for name, folder in _entries(root) if not folder}
        return tuple(sorted(name for name in found if name.endswith(ending)))

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of every template in force, sorted; raises as `find` and UnreadableError.

        What these are is judged as for a build; other files of the folders are none.
        """
        for name in sorted(name for ending in ENDINGS for name in self.files(ending)):
            path = self.find(name)
            assert path is not None  # noqa: S101 - it was listed
            yield name, named.read(path, MAX_BYTES)

    def shadowed(self) -> tuple[Path, ...]:
        """Files of the project that stand in for a built-in one."""
        own, base = self.roots[:-1], self.roots[-1]
        found = ((root, name) for root in own for name, folder in _entries(root) if not folder)
        return tuple(root / name for root, name in sorted(found) if (base / name).is_file())

    def faults(self) -> tuple[Finding, ...]:
        """What stands in the place of a template and cannot be one, in the folders of users.

        Without this a pipe, a folder or a link to nowhere would silently leave the built-in file
        in force.
        """
        found: list[Finding] = []
        for root in self.roots:
            try:
                found += self._faults(root) if root != built_in() else ()
            except OSError as error:
                message = f"a folder cannot be read: {error.strerror or error}"
                found.append(Finding("T227", message, self.display(Path(error.filename or root))))
        return tuple(found)

    def check(self) -> None:
        """Raises FindingsError when there are such faults."""
        if faults := self.faults():
            raise FindingsError(self.named(faults))

    def _faults(self, root: Path) -> Iterator[Finding]:
        others = [other for other in self.roots if other != root]
        for name, folder in _entries(root):
            path = root / name
            template = name.endswith(ENDINGS)
            stands_for = [other / name for other in others if (other / name).exists()]
            wanted = stands_for[0].is_dir() if stands_for else folder and not template
            try:
                if stands_for or template or (folder and path.is_symlink()):
                    self._plain(path, folder=wanted)
                if template:
                    refuse(name)
            except FindingsError as error:
                yield from error.findings
            except RefusedNameError as error:
                yield Finding("T217", str(error), self.display(path))
        for product in self._folders_with("", "product.yml"):
            if os.path.lexists(root / product) and not _PRODUCT.fullmatch(product):
                message = (
                    f"the folder name {show(product)} cannot be the name of a product: only "
                    "ASCII letters, digits, '_' and '-' are expected"
                )
                yield Finding("T217", message, self.display(root / product))

    def _folders_with(self, folder: str, file: str) -> tuple[str, ...]:
        """Names of the folders below `folder` in which something is called `file`."""
        found: set[str] = set()
        for root in self.roots:
            try:
                below = sorted((root / folder).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                continue
            found |= {path.name for path in below if os.path.lexists(path / file)}
        return tuple(sorted(found))

    def _below(self, root: Path, name: str) -> Path | None:
        """The plain file of a name below a root; None where nothing has the name."""
        path = root
        *folders, last = name.split("/")
        for part in folders:
            path /= part
            if not self._plain(path, folder=True):
                return None
        path /= last
        return path if self._plain(path, folder=False) else None

    def _plain(self, path: Path, *, folder: bool) -> bool:
        """Whether anything is at a path; raises FindingsError unless that is a plain file, or a
        folder, of the roots.
        """
        wanted = "a folder" if folder else "a file"
        try:
            kind = path.lstat().st_mode
        except FileNotFoundError:
            return False
        except OSError as error:
            message = f"it cannot be read: {error.strerror or error}"
            raise FindingsError([Finding("T227", message, self.display(path))]) from None
        if stat.S_ISLNK(kind):
            real = Path(os.path.realpath(path))
            if not any(real.is_relative_to(os.path.realpath(root)) for root in self.roots):
                found = f"a link to '{visible(real.as_posix())}', outside of the templates"
                raise FindingsError([self._fault(path, found, wanted, f"copy {wanted} there")])
            try:
                kind = path.stat().st_mode
            except OSError:
                found = "a link to something that is not there"
                raise FindingsError([self._fault(path, found, wanted, "")]) from None
        if not (stat.S_ISDIR(kind) if folder else stat.S_ISREG(kind)):
            raise FindingsError([self._fault(path, _kind(kind), wanted, "")])
        return True

    def _fault(self, path: Path, found: str, wanted: str, hint: str) -> Finding:
        hint = hint or f"put {wanted} there, or delete it so that the built-in one is used"
        message = f"{wanted} is expected here, and this is {found}"
        return Finding("T218", message, self.display(path), hint=hint)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a file" if stat.S_ISREG(mode) else "a pipe or a device"


def _entries(root: Path) -> Iterator[tuple[str, bool]]:
    """Name and whether it is a folder, of everything below a root; links are not followed.

    Raises OSError for a folder that cannot be read.
    """

    return ((name, below.is_folder(entry)) for name, entry in below.entries(root))
