"""The cures of the review's faults. Each is held by a test: taken out, that test must fail.

What is taken out is a piece of text of a template; the runbooks build and run without it.
"""

from __future__ import annotations

from dataclasses import dataclass

ENGINE = "_runbook/engine.ps1"
UNDO = "_runbook/engine_undo.ps1"
SIGNER = "_runbook/engine_signer.ps1"
E10 = "exchange/server/partner_application.ps1.j2"
E20 = "exchange/server/directory.ps1.j2"
S30 = "skype/front_end/partner_application.ps1.j2"
MOVED = "skype/parts/moved.ps1.j2"
DOMAINS = "exchange/server/accepted_domains.ps1.j2"


@dataclass(frozen=True, slots=True)
class Cure:
    """`old` in the template `file` becomes `new`; then the tests that `tests` selects fail."""

    tests: str
    file: str
    old: str
    new: str = ""

    def __str__(self) -> str:
        return f"{self.tests} {self.old.strip()[:40]}".replace("/", " ")


CURES = (
    Cure("r01_unified", S30, "if ([string] $policy.UcsAllowed -ne 'False')", "if ($false)"),
    Cure("r02", MOVED, "if ($moved -gt 0)", "if ($moved -gt 1000)"),
    Cure("r03_one_run_at_a_time and not lock", ENGINE, "'Write', 'None'", "'Write', 'ReadWrite'"),
    Cure(
        "r03_a_before",
        ENGINE,
        "    } elseif (-not $Step.Before) {\n        Save-StepRecord -Step $Step -Kind 'Before'",
        "    } elseif (-not $Runbook.Undoes) {\n        Save-StepRecord -Step $Step -Kind 'Before'",
    ),
    Cure("r04", ENGINE, "    Assert-AsShown -Step $Step\n"),
    Cure(
        "r05_undo_without_records_names",
        ENGINE,
        "    Assert-NoProblem -Problems $orphans -Status 'problem' -Code 4\n",
    ),
    Cure(
        "r06",
        E10,
        "Get-User -Filter $like -ResultSize 'Unlimited' @at",
        "Get-User -Filter \"Name -like '*'\" -ResultSize 1000 @at",
    ),
    Cure(
        "r07_a_recreated_object",
        UNDO,
        "        if ($foreign.Count -gt 0) {",
        "        if ($false) {",
    ),
    Cure("r08", UNDO, "        if (-not $Step.After) { continue }\n"),
    Cure(
        "r09_declined",
        ENGINE,
        "    Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'\n    Clear",
        "    Clear",
    ),
    Cure(
        "r09_after_records_are",
        UNDO,
        "foreach ($kind in 'After', 'Before')",
        "foreach ($kind in 'Before', 'After')",
    ),
    Cure(
        "r09_after_record_without",
        ENGINE,
        "    } elseif ($Step.After) {\n        Exit-Runbook",
        "    } elseif ($false) {\n        Exit-Runbook",
    ),
    Cure("r10_checks", ENGINE, "        if ($same -and $roots -and $good) { return }\n"),
    Cure("r11", E20, "if ($other.Count -gt 0) {", "if ($other.Count -gt 9) {"),
    Cure("r12_facts", ENGINE, "    $Runbook.Past[$id] = @{ End = $found.End; State = $state }\n"),
    Cure(
        "r13_a_refusal",
        ENGINE,
        "    if ($Runbook.Code -eq 2 -and $Runbook.Touched) { $Runbook.Code = 1 }\n",
    ),
    Cure("r14_what", ENGINE, "$Step.Waits = $Step.Replicates -and", "$Step.Waits = $false -and"),
    Cure("r15", ENGINE, "        $Step.Source = $Step.Before.Source\n"),
    Cure(
        "r16_records",
        ENGINE,
        "    if ($record.text -ne $Step.Text) {",
        "    if ($false) {",
    ),
    Cure("r17_in_undo_a_whole", ENGINE, "    $kept -contains $Step.Id -or -not", "    -not"),
    Cure("r17_a_later", ENGINE, '-and $kept -contains "$($Step.Id).$Name"', "-and $false"),
    Cure("r18", ENGINE, "$problem = Get-ReceiptProblem -Need $need", "$problem = ''"),
    Cure("r19_a_folder", ENGINE, "-cnotmatch '^O:(BA|SY)G:'", "-cnotmatch '^O:'"),
    Cure(
        "r19_a_folder", ENGINE, "    if (-not (Test-OnlyOurs -Path $Path)) {", "    if ($false) {"
    ),
    Cure(
        "r19_a_folder", ENGINE, "    if ($attributes -band", "    if ($false -and $attributes -band"
    ),
    Cure(
        "r19_files",
        ENGINE,
        "    Assert-NoProblem -Problems @($files | ForEach-Object -Process "
        "{ Get-OwnerProblem -Path $_ })\n",
    ),
    Cure("r19_files", ENGINE, "    if (Test-OnlyOurs -Path $Path) { return }\n"),
    Cure(
        "r20",
        ENGINE,
        "    $global:ErrorActionPreference = $ErrorActionPreference = 'Continue'\n"
        "    try {\n        & $Step",
        "    $ErrorActionPreference = 'Continue'\n    try {\n        & $Step",
    ),
    Cure("r21_r22", ENGINE, "        $found.Threw = $true\n", "        throw\n"),
    Cure("r21_r22", ENGINE, " -or -not $answer[0].Saw) {", ") {"),
    Cure("r23", ENGINE, "            $null = & $Runbook.Probe\n"),
    Cure("r24_an_order", ENGINE, "$earlier.Hash -ne $relied.hash", "$false"),
    Cure(
        "r24_forward",
        ENGINE,
        "    Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'\n    Clear",
        "    Clear",
    ),
    Cure(
        "r25_a_receipt", ENGINE, "    if ($override -and -not $given.Reason) {", "    if ($false) {"
    ),
    Cure("r26", E10, "= $one.AcceptSecurityIdentifierInformation", "= 'True'"),
    Cure("r27_the_online_trust_is", S30, "{%     if not skype.hybrid %}", "{%     if false %}"),
    Cure("r28_groups", ENGINE, "        if ($is.Count -eq 0) {", "        if ($false) {"),
    Cure("r28_rights", ENGINE, "    if ($missing.Count -gt 0) {", "    if ($false) {"),
    Cure(
        "r29_own",
        SIGNER,
        "    } elseif ($expected.Count -eq 0) {",
        "    } elseif ($false) {",
    ),
    Cure("r29_each", SIGNER, "    if ($words.ContainsKey($status)) {", "    if ($false) {"),
    Cure("r30", E10, "; AssignmentMethod = 'Direct' }", " }"),
    Cure("r31", DOMAINS, "New-MailUser -Name", "Make the account"),
    Cure(
        "r32_what_no_record_proves_is_asked_about",
        UNDO,
        "        if (-not $proven -and",
        "        if ($false -and",
    ),
    Cure("r33_a_preview", ENGINE, "-and -not ($Runbook.Preview -and $Runbook.Folder)) {", ") {"),
    Cure(
        "r34",
        ENGINE,
        "$Value -is [System.Collections.IEnumerable] -and $Value -isnot [string]",
        "$Value -is [array]",
    ),
    Cure("r35", ENGINE, "        return , $list\n", "        return ($list -join ', ')\n"),
    Cure(
        "r36",
        ENGINE,
        "    if (-not (Test-StepValue -Wanted $names -Present @($state.Keys))) {",
        "    if ($false) {",
    ),
    Cure(
        "r37",
        ENGINE,
        "    $last = @{ Message = $text;",
        "    $last = @{ Message = [string] $Failure.ScriptStackTrace;",
    ),
    Cure("r38", ENGINE, "                $Runbook.Evidence = $null\n"),
    Cure("r39", ENGINE, "operator = $Runbook.Operator; file = ", "file = "),
    Cure(
        "r40_r43",
        ENGINE,
        "$env:COMPUTERNAME.$($system.Domain)",
        "$env:COMPUTERNAME.$($Runbook.Domain)",
    ),
    Cure("r40_r43", ENGINE, " -or $edition['PSVersion'].Major -gt 5"),
    Cure(
        "r41_receipts",
        ENGINE,
        "@($Runbook.Folder; $Runbook.Given.ReceiptPath)",
        "@($Runbook.Folder)",
    ),
    Cure("r41_of", ENGINE, "            if ($best -and $end -le $best.End) { continue }\n"),
    Cure("r41_of", ENGINE, "    if ($old -and $old.End -ge", "    if ($false -and $old.End -ge"),
    Cure("r42", ENGINE, "Set-Variable -Name 'Runbook' -Value $Runbook -Option ReadOnly\n"),
    Cure("r43_the_configuration", ENGINE, "        Save-Configuration\n"),
    Cure("r45_an_error", ENGINE, '    "Next: $next"\n', "    ''\n"),
    Cure(
        "F03_a_preview",
        S30,
        "{{ past['skype.prerequisites'] | ps }} + ' denies it: run that first.'",
        "'run Set-CsUserServicesPolicy -Identity global -UcsAllowed $false.'",
    ),
    Cure(
        "F14_a_lock",
        ENGINE,
        '": $($by.runbook), process $($by.process) of $($by.operator)"',
        '": $($by.runbook)"',
    ),
    Cure(
        "F14_what_is",
        ENGINE,
        "catch [System.IO.IOException] {\n        $by",
        "catch {\n        $by",
    ),
    Cure(
        "F15_outside",
        ENGINE,
        "    if ($Runbook.Preview) { return Write-RunbookEvent -Status 'window'",
        "    if ($true) { return Write-RunbookEvent -Status 'window'",
    ),
    Cure(
        "U02_an_undo_asks",
        ENGINE,
        "    if (-not ($Step.Always -or (Test-UnderWay))) { return }",
        "    if (-not ($Step.Always -or ((Test-UnderWay) -and -not $Runbook.Undoes))) { return }",
    ),
    Cure(
        "U02_an_undo_that",
        ENGINE,
        "            $step.Apply -and -not $step.Repeats }",
        "            $true }",
    ),
    Cure(
        "U02_one_that",
        ENGINE,
        "    if (-not ($Step.Always -or (Test-UnderWay))) { return }",
        "    if (-not (Test-UnderWay)) { return }",
    ),
    Cure(
        "U03_what_serves",
        ENGINE,
        "-not ($ended -and $served -and (Test-Begun -Step $Step))",
        "-not ($ended -and $served)",
    ),
    Cure("r46", S30, "$_.AuthToken -replace '^Value='", "$_.MetadataUrl"),
)
"""In the order of the first review's rows; those of the others stand before the last."""
