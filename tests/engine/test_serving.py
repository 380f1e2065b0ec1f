"""The serving PowerShell: each script apart, whatever it does to its process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import serving
from lab.events import Event, Job, Question, Splitter
from lab.serving import Answer, Run, Server, ServingError, nobody, typed
from programs import pwsh

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/", "NO_COLOR": "1"}
Running = Callable[..., Run]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server([pwsh(), "-NoProfile", "-NonInteractive"], ENVIRONMENT) as made:
        yield made


@pytest.fixture
def running(server: Server, tmp_path: Path) -> Running:
    """Run a text as a script; `answer` makes it interactive."""

    def run(text: str, *words: str, answer: Answer | None = None, **more: Any) -> Run:
        path = tmp_path / "a script.ps1"
        path.write_text(text)
        facts: dict[str, Any] = {
            "environment": ENVIRONMENT,
            "folder": tmp_path,
            "limit": 60.0,
            **more,
        }
        job = Job(path, words, interactive=answer is not None, **facts)
        return server.run(job, answer or nobody)

    return run


def alone(path: Path, words: tuple[str, ...] = (), typed_text: str | None = None) -> Run:
    """The same script in a process of its own."""
    mode = ["-NonInteractive"] if typed_text is None else []
    done = subprocess.run(
        [pwsh(), "-NoProfile", *mode, "-File", str(path), *words],
        env=ENVIRONMENT, cwd=path.parent, input=(typed_text or "").encode(),
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    return Run("ended", done.returncode, done.stdout.decode(), done.stderr.decode())


# --- as a process would ----------------------------------------------------------------

SHOWN = """
'text'; 1, 2; [pscustomobject] @{ One = 1; Two = 'x' * 90 }, @{ a = 1 } | Out-Host
Write-Host -Object 'to the host' -ForegroundColor 'Red' -NoNewline
Write-Host -Object ' and on'
Write-Warning -Message 'a warning'
$VerbosePreference = 'Continue'
Write-Verbose -Message 'verbose'
Write-Debug -Message 'hidden'
$InformationPreference = 'Continue'
Write-Information -MessageData 'information'
Write-Progress -Activity 'work' -Status 'half' -PercentComplete 50
Write-Error -Message "an error`nof two lines" -ErrorAction 'Continue'
Get-Item -LiteralPath '/nowhere' -ErrorAction 'Continue'
$Host.UI.WriteErrorLine('a line of the host')
"$([char] 27)[31mred$([char] 27)[0m \u00fcml\u00e4ut $([char] 0xD800) $([char] 0x1F600)"
[Console]::Out.WriteLine('past the host')
& '/bin/sh' '-c' 'echo of a program'
& '/bin/sh' '-c' 'echo of a program' | ForEach-Object -Process { "piped $_" }
Write-Output -InputObject ('long ' * 40)
Remove-Item -LiteralPath '/nowhere' -WhatIf -ErrorAction 'SilentlyContinue'
"$($args.Count) $($args -join '|') $PSCommandPath $PWD $($Host.Name) $($Host.UI.RawUI.WindowSize)"
exit 3
"""
ENDS = {
    "shown": SHOWN,
    "nothing": "'x'",
    "exit": "exit 7; 'never'",
    "big exit": "exit 300",
    "negative exit": "exit -1",
    "nested exit": "function f { try { exit 4 } finally { Write-Host -Object 'at last' } }; f; 'x'",
    "exit in finally": "try { throw 'x' } finally { exit 5 }",
    "exit in a block": "1 | ForEach-Object -Process { & { exit 6 } }; 'x'",
    "throw": "'x'; throw 'thrown in words'",
    "throw an object": "throw [System.InvalidOperationException]::new('an exception')",
    "strict": "Set-StrictMode -Version 'Latest'; $nothing.Name",
    "stop": "$ErrorActionPreference = 'Stop'; Get-Item -LiteralPath '/nowhere'; 'x'",
    "does not parse": "if (",
    "unknown command": "Get-NoSuchThing; 'goes on'; exit 2",
    "no prompt": "$Host.UI.PromptForChoice('', 'Sure?', @('&No', '&Yes'), 0)",
    "no confirmation": "Remove-Item -LiteralPath $PSCommandPath -Confirm; 'goes on'",
    "no input": "Read-Host -Prompt 'Name'",
    "requires": "#Requires -Version 99.0\n'x'",
}


@pytest.mark.parametrize("case", ENDS)
def test_a_script_shows_and_ends_as_in_a_process(
    running: Running, tmp_path: Path, case: str
) -> None:
    run = running(ENDS[case], "a", "-b", "c d")
    same = alone(tmp_path / "a script.ps1", ("a", "-b", "c d"))
    assert (run.how, run.output, run.error, run.code) == (
        "ended", same.output, same.error, same.code,
    )  # fmt: skip


BOUND = """[CmdletBinding(SupportsShouldProcess = $true)]
param ([switch] $Go, [string] $Text = 'none', [string[]] $List, [int] $Number)
"$Go|$Text|$($List.Count) $($List -join '+')|$Number|$WhatIfPreference"
"""


@pytest.mark.parametrize(
    "words",
    [
        ("-Go", "-Text", "two words", "-Number", "7"),
        ("-Go:$false", "-Text:a:b", "-WhatIf"),
        ("-text:", "later", "-List", "a,b"),
        ("-Go:$true", "positional", "more", "-Number:3"),
        ("-Text", "-5", "-Number", "-5"),
        ("-Text", "", "-List", ""),
        ("-Nonsense", "x"),
        ("-Number", "many"),
        (),
    ],
    ids=repr,
)
def test_words_are_bound_as_in_a_process(
    running: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    run = running(BOUND, *words)
    same = alone(tmp_path / "a script.ps1", words)
    assert (run.output, run.error, run.code) == (same.output, same.error, same.code)


CHOICE = """
$choices = [System.Management.Automation.Host.ChoiceDescription[]] @('&No', '&Yes', 'Ma&ybe')
"answer $($Host.UI.PromptForChoice('Step 1', 'Go on?', $choices, 0))"
"answer $($Host.UI.PromptForChoice('', 'And now?', $choices, -1))"
"name $(Read-Host -Prompt 'Name')"
"more $(Read-Host)"
"""


@pytest.mark.parametrize(
    "text", ["y\nno\nme\n\n", "\n\nY\nx", "what\nYes\nN\n", "Maybe\n", "", "N\nN\n\u00fc\nb\n"]
)
def test_typed_answers_are_taken_as_in_a_process(
    running: Running, tmp_path: Path, text: str
) -> None:
    run = running(CHOICE, answer=typed(text))
    same = alone(tmp_path / "a script.ps1", (), text)
    assert (run.output, run.error, run.code) == (same.output, same.error, same.code)


def test_a_question_is_handed_over_with_its_choices(running: Running) -> None:
    run = running(CHOICE, answer=typed("\nY\nme\n"))
    first = Question("choice", "Step 1", "Go on?", ("No", "Yes", "Maybe"), 0)
    assert run.asked[0] == (first, "")
    assert [said for _, said in run.asked] == ["", "Y", "me", None]
    assert [question.kind for question, _ in run.asked] == ["choice", "choice", "line", "line"]


def test_a_secret_is_asked_as_one(running: Running) -> None:
    run = running("(Read-Host -AsSecureString).Length", answer=typed("four"))
    assert (run.output, run.asked) == ("4\n", [(Question("secret"), "four")])


def test_progress_is_recorded_apart_from_what_is_shown(running: Running) -> None:
    run = running("Write-Progress -Activity 'Waiting' -Status 'round 2'; 'x'")
    assert (run.output, run.progress) == ("x\n", ["Waiting: round 2"])


def test_what_a_program_writes_stands_in_its_place(running: Running) -> None:
    text = "'one'; & '/bin/sh' '-c' 'printf two; printf three >&2'; 'four'"
    run = running(text)
    assert run.output == "one\ntwothreefour\n"


# --- apart from each other -------------------------------------------------------------

LOOK = """
$found = [ordered] @{
    environment = @([System.Environment]::GetEnvironmentVariables().GetEnumerator() |
            Sort-Object -Property 'Name' | ForEach-Object -Process { "$($_.Name)=$($_.Value)" })
    folder = "$PWD " + [System.IO.Directory]::GetCurrentDirectory()
    culture = "$([cultureinfo]::CurrentCulture.NumberFormat.NumberDecimalSeparator) " +
    [cultureinfo]::DefaultThreadCurrentCulture
    encoding = "$([Console]::OutputEncoding.WebName) $([Console]::InputEncoding.WebName)"
    zone = (Get-Date -Date '2027-03-06T12:00:00Z').ToString('HH:mm zzz')
    protocol = "$([System.Net.ServicePointManager]::SecurityProtocol)"
    trust = "$([System.Net.ServicePointManager]::ServerCertificateValidationCallback)"
    preferences = "$ErrorActionPreference $WarningPreference $ConfirmPreference $WhatIfPreference"
    variables = @(Get-Variable -Scope 'Global' | ForEach-Object -Process { $_.Name }) -join ' '
    functions = @(Get-ChildItem -Path 'Function:' | ForEach-Object -Process { $_.Name }) -join ' '
    aliases = @(Get-Alias | ForEach-Object -Process { $_.Name }) -join ' '
    modules = @(Get-Module | ForEach-Object -Process { $_.Name }) -join ' '
    drives = @(Get-PSDrive | ForEach-Object -Process { $_.Name }) -join ' '
    types = [bool] [datetime]::Now.PSObject.Properties['Odd']
    errors = $Error.Count
    style = "$($PSStyle.OutputRendering)"
    exit = [System.Environment]::ExitCode
}
ConvertTo-Json -InputObject $found -Compress
[Console]::Out.WriteLine('a line')
"""
SPOIL = """
$env:LEFT = 'over'
$env:TZ = 'Asia/Kolkata'
[System.Environment]::SetEnvironmentVariable('PATH', '/nowhere')
[System.TimeZoneInfo]::ClearCachedData()
Set-Location -LiteralPath '/'
[System.IO.Directory]::SetCurrentDirectory('/')
[cultureinfo]::CurrentCulture = $odd = [cultureinfo]::InvariantCulture.Clone()
$odd.NumberFormat.NumberDecimalSeparator = ','
[cultureinfo]::DefaultThreadCurrentCulture = $odd
[Console]::OutputEncoding = [Console]::InputEncoding = [System.Text.Encoding]::Unicode
[Console]::SetOut([System.IO.TextWriter]::Null)
[System.Net.ServicePointManager]::SecurityProtocol = 3072
[System.Net.ServicePointManager]::ServerCertificateValidationCallback = { $true }
[System.Environment]::ExitCode = 9
function global:Get-Left { 'over' }
Set-Alias -Name 'left' -Value 'Get-Left' -Scope 'Global'
New-Module -Name 'Left' -ScriptBlock { } | Import-Module -Global
$null = New-PSDrive -Name 'Left' -PSProvider 'FileSystem' -Root '/' -Scope 'Global'
Update-TypeData -TypeName 'System.DateTime' -MemberType 'NoteProperty' -MemberName 'Odd' -Value 1
Write-Error -Message 'x' -ErrorAction 'SilentlyContinue'
$global:ErrorActionPreference = $global:WarningPreference = 'Stop'
$global:ConfirmPreference = 'Low'
$global:WhatIfPreference = $true
$global:left = 'over'
$PSStyle.OutputRendering = 'Ansi'
"""


def test_nothing_of_a_script_reaches_the_next_one(running: Running) -> None:
    before = running(LOOK)
    spoiled = running(f"{SPOIL}\n{LOOK}")
    after = running(LOOK)
    assert before.code == after.code == 0, before.output
    assert after.output == before.output
    first, last = (json.loads(run.output.split("\n")[0]) for run in (before, spoiled))
    same = [name for name in first if first[name] == last[name]]
    assert same == [], "what the spoiler does not change shows nothing"


def test_a_language_mode_ends_with_its_script(running: Running) -> None:
    running("$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'")
    assert running("[System.IO.File]::Exists('/nowhere')").output == "False\n"


def test_each_script_has_its_own_environment_folder_and_zone(
    running: Running, tmp_path: Path
) -> None:
    text = '"$env:ONE $env:TWO $PWD $([datetimeoffset]::Now.Offset)"'
    (tmp_path / "b").mkdir()
    one = running(text, environment={**ENVIRONMENT, "ONE": "1", "TZ": "Asia/Kolkata"})
    two = running(text, environment={**ENVIRONMENT, "TWO": "2027-03-06T21:30:00+00:00"},
                  folder=tmp_path / "b")  # fmt: skip
    assert one.output == f"1  {tmp_path} 05:30:00\n"
    assert two.output == f" 2027-03-06T21:30:00+00:00 {tmp_path / 'b'} 00:00:00\n"


# --- hanging and dying -----------------------------------------------------------------

PID = "[System.Environment]::ProcessId"


def test_a_script_that_hangs_is_stopped_and_its_finally_runs(running: Running) -> None:
    process = running(PID).output
    run = running(
        "'begun'; try { while ($true) { } } finally { Write-Host -Object 'at last' }", limit=1.0
    )
    assert (run.how, run.code, run.output) == ("stopped", 1, "begun\nat last\n")
    assert running(PID).output == process


def test_a_script_that_cannot_be_stopped_costs_its_own_run(running: Running) -> None:
    process = running(PID).output
    run = running("'begun'; [System.Threading.Thread]::Sleep(-1)", limit=1.0)
    assert (run.how, run.output) == ("killed", "begun\n")
    again = running(PID)
    assert again.how == "ended"
    assert again.output != process


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[System.Environment]::Exit(7)", 7),
        ("[System.Diagnostics.Process]::GetCurrentProcess().Kill(); Start-Sleep -Seconds 60", -9),
        ("[System.Environment]::FailFast('no more')", -6),
    ],
    ids=["exit", "kill", "crash"],
)
def test_the_end_of_the_process_costs_one_run(running: Running, text: str, code: int) -> None:
    run = running(f"'begun'\n& '/bin/sh' '-c' 'sleep 600 &'\n{text}\n'never'")
    assert (run.how, run.code) == ("lost", code)
    assert run.output.startswith("begun\n")
    assert "never" not in run.output
    assert running("'x'").output == "x\n"


def test_an_error_while_answering_ends_the_script_and_is_raised(running: Running) -> None:
    def answer(_: Question) -> str:
        raise LookupError("nobody knows")

    with pytest.raises(LookupError, match="nobody knows"):
        running("Read-Host; 'never'", answer=answer)
    assert running("'x'").output == "x\n"


def test_one_script_at_a_time(running: Running) -> None:
    def answer(_: Question) -> str:
        running("'y'")
        return ""

    with pytest.raises(ServingError, match="one at a time"):
        running("Read-Host", answer=answer)


@pytest.mark.parametrize(
    ("command", "words"),
    [(["/nowhere/pwsh"], "cannot be started"), (["/bin/sh", "-c", "echo no; exit 1"], ": no")],
)
def test_without_a_powershell_it_says_so(command: list[str], words: str, tmp_path: Path) -> None:
    with Server(command, ENVIRONMENT) as server, pytest.raises(ServingError, match=words):
        server.run(Job(tmp_path / "x.ps1", (), ENVIRONMENT, tmp_path))


def test_a_process_that_went_away_meanwhile_is_replaced(
    running: Running, server: Server, tmp_path: Path
) -> None:
    pid = int(running(PID).output)
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert running("'x'").output == "x\n"


def test_a_process_takes_a_number_of_jobs(
    running: Running, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setattr(serving, "MOST", 2)
    server.close()
    first, second, third, fourth = (running(PID).output for _ in range(4))
    assert first == second != third == fourth


# --- the lines between -----------------------------------------------------------------

LINES = (
    b'made by a program\n\x1e{"event":"shown","stream":"error","text":"\\u00fc"}\nmore\x1e'
    b'{"event":"end","how":"ended","code":0}\n\x1enone of ours\n\x1e{"event":1\n\x1e[]\nrest'
)
EVENTS = [
    Event("shown", {"stream": "output", "text": "made by a program\n"}),
    Event("shown", {"stream": "error", "text": "\u00fc"}),
    Event("shown", {"stream": "output", "text": "more"}),
    Event("end", {"how": "ended", "code": 0}),
    Event("shown", {"stream": "output", "text": "\x1enone of ours\n"}),
    Event("shown", {"stream": "output", "text": '\x1e{"event":1\n'}),
    Event("shown", {"stream": "output", "text": "\x1e[]\n"}),
    Event("shown", {"stream": "output", "text": "rest"}),
]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_found_in_pieces_of_any_size(size: int) -> None:
    splitter = Splitter()
    found: list[Any] = []
    for at in range(0, len(LINES), size):
        found += splitter.feed(LINES[at : at + size])
    assert [*found, *splitter.end()] == EVENTS
