"""Templates stay in their roots: names that a file gives, links, and what is no plain file."""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from builders import a_build
from hypothesis import example, given
from hypothesis import strategies as st
from programs import ROOT
from security.projects import ENTRY, READ, STEP, STEP_TEXT, Project, shown

from generator.documents import runsheet
from generator.findings import Finding, FindingsError
from generator.rendering.blocks import Blocks
from generator.templating.templates import (
    MAX_BYTES,
    RefusedNameError,
    TemplateTree,
    beside,
    refuse,
)

pytestmark = pytest.mark.usefixtures("watchdog")

SECRET = "SECRET-7f3a91"

OUTSIDE = [
    "/proc/self/environ",
    "../secret.txt",
    "../../../../../../../../etc/passwd",
    "skype/../../secret.txt",
    "skype/../skype/shell.ps1.j2",
    "/",
    "//etc/passwd",
    "C:/Windows/win.ini",
    "C:secret.txt",
    "..\\\\secret.txt",
    "skype\\\\shell.ps1.j2",
    "./skype/shell.ps1.j2",
    "skype//shell.ps1.j2",
    "skype/",
    "",
    "..",
    ".",
    "skype/shell.ps1.j2\\0",
    "x\\ny",
    "x" * 300,
]
"""As a template writes them: names that are not below the roots, or only by a detour."""

TAGS = [
    "{{% include '{0}' %}}",
    "{{% include ['{0}', 'skype/shell.ps1.j2'] %}}",
    "{{% include '{0}' ignore missing %}}",
    "{{% set name = '{0}' %}}{{% include name %}}",
    "{{% import '{0}' as other %}}",
    "{{% from '{0}' import other %}}",
]


@pytest.fixture
def secret(project: Project) -> Iterator[Path]:
    path = project.folder / "secret.txt"
    path.write_text(f"{SECRET}\n")
    os.environ["RUNBOOK_TEST"] = SECRET
    yield path
    del os.environ["RUNBOOK_TEST"]


def script_findings(project: Project, line: str) -> list[Finding]:
    """What is found when a step with this line is rendered, as a build does it."""
    project.step(line)
    blocks = Blocks(TemplateTree.for_project(project.templates))
    text = blocks.render(STEP, ["read"], {"skype": {"test_user": "sip:x@y"}})["read"]
    assert SECRET not in text
    return blocks.findings


def document_findings(project: Project, line: str) -> tuple[Finding, ...]:
    """What is found when a document with this line is rendered, as a build does it."""
    project.write(ENTRY, f"\n{line}\n")
    with pytest.raises(FindingsError) as caught:
        runsheet.render(a_build(), TemplateTree.for_project(project.templates))
    assert SECRET not in str(caught.value)
    return caught.value.findings


@pytest.mark.parametrize("name", OUTSIDE)
def test_G02_no_name_leads_outside(project: Project, secret: Path, name: str) -> None:
    line = f"{{% include '{name}' %}}"
    (found,) = script_findings(project, line)
    assert (found.code, found.file, found.line) == ("T217", f"templates/{STEP}", 5)
    (found,) = document_findings(project, line)
    assert (found.code, found.line) == ("T217", 2)
    assert found.file.endswith(f"/{ENTRY}")


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("name", ["/proc/self/environ", "../secret.txt"])
def test_G02_no_tag_reads_outside(project: Project, secret: Path, tag: str, name: str) -> None:
    line = tag.format(name)
    (found,) = script_findings(project, line)
    assert (found.code, found.line) == ("T217", 5)
    (found,) = document_findings(project, line)
    assert (found.code, found.line) == ("T217", 2)


@pytest.mark.parametrize("name", ["/proc/self/environ", "../secret.txt"])
def test_G02_the_commands_say_so_and_print_nothing_of_it(
    project: Project, secret: Path, name: str
) -> None:
    project.step(f"{{% include '{name}' %}}")
    for said in (project.build(), project.run("lint")):
        assert said.code == 1
        assert re.search(rf"{STEP}:5:\d+: error\[T217\]", said.text), said.text
        assert SECRET not in said.text
    project.place(STEP).unlink()
    project.write(ENTRY, f"\n{{% include '{name}' %}}")
    for said in (project.build(), project.run("lint")):
        assert said.code == 1
        assert re.search(rf"{ENTRY}:2:\d+: error\[T217\]", said.text), said.text
        assert SECRET not in said.text


def test_G02_a_step_extends_nothing_outside(project: Project, secret: Path) -> None:
    project.write(STEP, "{% extends '../secret.txt' %}\n" + STEP_TEXT)
    said = project.run("lint")
    assert said.code == 1
    assert re.search(rf"{STEP}:1:\d+: error\[T217\]", said.text), said.text


@pytest.mark.parametrize(
    "file",
    ["/proc/self/environ", "../../../secret.txt", "../../..", "", "C:/x", "a\\\\b", "a\\0b"],
)
def test_G02_a_role_names_no_file_outside(project: Project, secret: Path, file: str) -> None:
    line = f'      - id: test-user\n        file: "{file}"\n'
    project.change("skype/front_end/role.yml", ("      - id: test-user\n", line))
    for said in (project.run("graph", str(project.inventory)),):
        assert said.code == 1
        (place,) = said.found("T217")
        assert re.search(r"skype/front_end/role\.yml:\d+:\d+$", place)
        assert SECRET not in said.text


def test_G02_a_role_may_name_a_file_beside_its_folder(project: Project) -> None:
    line = "      - id: test-user\n        file: ../test_user_of_ours.ps1.j2\n"
    project.change("skype/front_end/role.yml", ("      - id: test-user\n", line))
    project.write("skype/test_user_of_ours.ps1.j2", STEP_TEXT)
    assert project.run("graph", str(project.inventory)).code == 0


@pytest.mark.parametrize(
    "reference", ["/secret.yml", "../../secret.yml", "../../../../etc/passwd", "file:///etc/passwd"]
)
def test_G02_a_schema_refers_to_nothing_outside(project: Project, reference: str) -> None:
    (project.folder / "secret.yml").write_text(f"type: {SECRET}\n")
    text = f"$ref: '{reference}'\ndescription: x\n"
    project.write("skype/schema.yml", text)
    for said in (project.validate(), project.run("schema")):
        assert said.code == 1
        assert f"{project.templates}/skype/schema.yml:1:7" in said.found("T123"), said.text
        assert SECRET not in said.text


def test_G02_a_schema_asks_no_network(project: Project) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema"
        project.change(
            "skype/schema.yml",
            ("$schema: https://json-schema.org/draft/2020-12/schema", f"$schema: {address}"),
        )
        for command in (("lint",), ("validate", str(project.inventory)), ("schema",)):
            said = project.run(*command)
            assert said.code == 1
            assert said.found("T124"), said.text
        with pytest.raises(BlockingIOError):
            server.accept()


# --- links ------------------------------------------------------------------------------

LINKED = [STEP, ENTRY, "skype/schema.yml", "skype/product.yml", "skype/front_end/role.yml",
          "skype/checks.yml", "_runbook/engine.ps1", "_runbook/phases.yml"]  # fmt: skip


@pytest.mark.parametrize("name", LINKED)
def test_G02_a_link_does_not_lead_out(project: Project, name: str) -> None:
    target = project.folder / "elsewhere"
    target.write_bytes((ROOT / "templates" / name).read_bytes() + f"# {SECRET}\n".encode())
    project.place(name).symlink_to(target)
    said = project.validate()
    assert said.code == 1
    assert said.found("T218") == [f"{project.templates}/{name}"], said.text
    assert SECRET not in said.text
    assert f"'{target}', outside of the templates" in said.text


def test_G02_a_linked_folder_does_not_lead_out(project: Project) -> None:
    other = project.folder / "other"
    (other / "organization").mkdir(parents=True)
    (other / "organization" / "test_user.ps1.j2").write_text(STEP_TEXT)
    (project.templates / "skype").symlink_to(other)
    said = project.validate()
    assert said.found("T218") == [f"{project.templates}/skype"], said.text


def test_G02_links_within_the_templates_are_files(project: Project) -> None:
    real = project.write("skype/kept/test_user.ps1.j2", STEP_TEXT + "{# ours #}\n")
    project.place(STEP).symlink_to(real)
    assert project.run("graph", str(project.inventory)).code == 0


def test_G02_the_templates_folder_itself_may_be_a_link(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.step("{# ours #}")
    project.templates.rename(project.folder / "real")
    project.templates.symlink_to(project.folder / "real")
    assert project.validate().code == 0


def test_G02_a_tree_of_one_root_holds_its_links(tmp_path: Path) -> None:
    """As the inputs of a package: there is no built-in folder below them."""
    root, secret = tmp_path / "templates", tmp_path / "secret"
    root.mkdir()
    secret.write_text(SECRET)
    (root / "a.j2").symlink_to(secret)
    (root / "b.j2").symlink_to("a.j2")
    tree = TemplateTree((root,))
    for name in ("a.j2", "b.j2"):
        with pytest.raises(FindingsError, match="outside of the templates"):
            tree.find(name)
    assert len(tree.faults()) == 2


# --- folders, pipes, devices, links to nothing ------------------------------------------


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.symlink_to("nothing-here")


def ring(path: Path) -> None:
    path.symlink_to(path.name)


def unix_socket(path: Path) -> None:
    # The name of a socket is short, wherever the test runs.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        with closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind(f"{short}/s")
        Path(f"{short}/s").rename(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = [folder, pipe, dangling, ring, unix_socket, device]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_G11_what_is_no_file_is_a_finding(project: Project, kind: Callable[[Path], None]) -> None:
    kind(project.place(STEP))
    said = project.validate()
    assert said.code == 1
    assert said.found("T218") == [f"{project.templates}/{STEP}"], said.text
    assert "a file is expected here, and this is a" in said.text


def test_G11_it_is_a_finding_of_every_command(project: Project) -> None:
    pipe(project.place(STEP))
    answers = project.every()
    for said in answers.values():
        assert said.code == 1, shown(answers)
        assert said.found("T218") == [f"{project.templates}/{STEP}"], shown(answers)


@pytest.mark.parametrize(
    "name", [*LINKED, "exchange/shell.ps1.j2", "exchange/cmdlets.yml", "_runbook/role.schema.yml",
             "_runbook/parameters.ps1", "skype/parts/moved.ps1.j2", "ours/product.yml",
             "skype/ours/role.yml", "skype/ours/unused.ps1.j2"]
)  # fmt: skip
def test_G11_whatever_the_file_is(project: Project, name: str) -> None:
    pipe(project.place(name))
    for said in (project.validate(), project.run("schema")):
        assert said.code == 1
        assert said.found("T218") == [f"{project.templates}/{name}"], said.text


def test_G11_all_of_them_are_found_in_one_run(project: Project) -> None:
    names = [STEP, ENTRY, "skype/checks.yml"]
    for kind, name in zip((folder, pipe, dangling), names, strict=True):
        kind(project.place(name))
    said = project.validate()
    assert sorted(said.found("T218")) == sorted(f"{project.templates}/{name}" for name in names)


def test_G11_a_file_in_the_place_of_a_folder_is_found(project: Project) -> None:
    project.write("skype", "not a folder")
    said = project.validate()
    assert said.found("T218") == [f"{project.templates}/skype"]
    assert "a folder is expected here, and this is a file" in said.text


def test_G11_a_link_to_nothing_in_the_place_of_a_folder_is_found(project: Project) -> None:
    dangling(project.templates / "skype")
    said = project.validate()
    assert said.found("T218") == [f"{project.templates}/skype"]
    assert "a folder is expected here, and this is a link to something" in said.text


def test_G11_doctor_says_it_too(project: Project) -> None:
    pipe(project.place(STEP))
    said = project.run("doctor", "--out", str(project.folder / "out"))
    assert f"fail  templates: {project.templates}/{STEP}: a file is expected" in said.out


@pytest.mark.parametrize("form", ["json", "sarif"])
@pytest.mark.parametrize("kind", ["folder", "faulty"])
def test_G11_findings_for_programs_are_data_whatever_is_broken(
    project: Project, form: str, kind: str
) -> None:
    path = project.place("skype/checks.yml")
    if kind == "folder":
        path.mkdir()
    else:
        path.write_text("- code: X\n")
    said = project.run("lint", "--format", form)
    assert said.code == 1
    assert json.loads(said.out)
    assert project.run("lint", "--explain", "T218").code == 0


def test_G11_other_files_in_the_folder_are_nobodys_business(project: Project) -> None:
    project.write("README", "ours")
    dangling(project.templates / "notes.txt")
    pipe(project.templates / "editor.lock")
    (project.templates / ".git").mkdir()
    assert project.validate().code == 0


def test_G11_a_folder_that_cannot_be_read_is_a_finding(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.step("{# ours #}")
    scan = os.scandir

    def refuse_one(path: str | Path) -> object:
        if str(path).endswith("/templates/skype"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse_one)
    said = project.validate()
    assert said.code == 1
    assert said.found("T227") == [f"{project.templates}/skype"], said.text


# --- names and sizes --------------------------------------------------------------------

PIECES = st.sampled_from(["a", "b.yml", "..", ".", "", "/", "\\", ":", "C:", "\0", " ", "é", "~"])


@example(["/", "etc"])
@example(["a", "/", "..", "/", "..", "/", "b"])
@given(st.lists(PIECES, max_size=8))
def test_G02_a_name_that_is_not_refused_stays_below_any_folder(pieces: list[str]) -> None:
    name = "".join(pieces)
    for reading in (PurePosixPath, PureWindowsPath):
        try:
            refuse(name)
        except RefusedNameError:
            return
        path = reading("/roots/templates") / name
        assert path.is_relative_to("/roots/templates")
        assert path != reading("/roots/templates")
        assert ".." not in path.parts


@given(st.lists(PIECES, max_size=8))
def test_G02_a_reference_stays_below_the_templates(pieces: list[str]) -> None:
    try:
        name = beside("product/role", "".join(pieces))
    except RefusedNameError:
        return
    refuse(name)
    assert ".." not in name.split("/")


@pytest.mark.parametrize("name", ["two words", "ümlaut", "a.b", "a%20b", "a#b", "a\\b", "x\x1b[2J"])
def test_G02_the_folder_of_a_product_has_a_plain_name(project: Project, name: str) -> None:
    project.write(f"{name}/product.yml", "title: x\n")
    for said in (project.validate(), project.run("schema")):
        assert said.code == 1
        assert "cannot be the name of a product" in said.text
        assert said.found("T217"), said.text
        assert "\x1b" not in said.text


def test_G04_a_template_that_is_too_large_is_not_read(project: Project) -> None:
    project.place(STEP).write_bytes(b"{#" + b"x" * MAX_BYTES)
    for said in (project.build(), project.run("lint")):
        assert said.code == 1
        assert said.found("T219") == [f"{project.templates}/{STEP}"], said.text


def test_G04_a_yaml_file_of_the_templates_that_is_too_large_is_not_read(project: Project) -> None:
    project.place("skype/checks.yml").write_bytes(b"#" + b"x" * MAX_BYTES)
    for said in (project.build(), project.run("lint")):
        assert said.code == 1
        assert said.found("E005") == [f"{project.templates}/skype/checks.yml"], said.text
        assert "the limit is 1 MiB" in said.text


def test_G02_a_template_that_is_not_there_is_named_where_it_is_included(project: Project) -> None:
    project.step("{% include 'skype/parts/nothing.ps1.j2' %}")
    for said in (project.build(), project.run("lint")):
        assert said.code == 1
        assert re.search(rf"{STEP}:5:\d+: error\[T201\] there is no file", said.text), said.text
    assert READ in STEP_TEXT
