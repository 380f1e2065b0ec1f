# =====================================================================================
# Engine, part undo - the same text in every runbook that rolls back
# =====================================================================================

function Test-StepValueBetween ([object] $Before, [object] $Left, [object] $Present) {
    # Undo: as it was, as this change left it, or a list on the way from one to the other.
    $same = (Test-StepValue -Wanted $Before -Present $Present) -or
    (Test-StepValue -Wanted $Left -Present $Present)
    $single = $Present -is [string] -or $Left -is [System.Collections.IDictionary]
    if ($same -or $single) { return $same }
    $either = @($Before) + @($Left)
    $both = @($Before | Where-Object -FilterScript { @($Left) -contains $_ })
    $foreign = @($Present | Where-Object -FilterScript { $either -notcontains $_ })
    $lost = @($both | Where-Object -FilterScript { $Present -notcontains $_ })
    $foreign.Count + $lost.Count -eq 0
}

function Get-UndoReason ([hashtable] $Step) {
    # Only what this change left, by value and by identity, may be taken back.
    $left = $Step.Wanted
    if ($Step.After) { $left = $Step.After }
    $proven = $Step.After -and $Step.After.Proof -eq 'changed'
    $keep = "keep the whole step with -KeepPresent '$($Step.Id)' -Reason '...'"
    $Step.Unproven = @()
    foreach ($name in $Step.Wanted.Keys) {
        $now = Format-StepValue -Value $Step.Present[$name]
        $state = @{ Before = $Step.Before[$name]; Left = $left[$name] }
        if (-not (Test-StepValueBetween @state -Present $Step.Present[$name])) {
            "$name is $now, this change left $(Format-StepValue -Value $left[$name]). " +
            "Ask who changed it; put it back, or $keep."
        }
        if (-not $proven -and $Step.Todo -contains $name) { $Step.Unproven += "$name $now" }
        if (-not $Step.After) { continue }
        $ours = @($Step.Before.Identity[$name]) + @($Step.After.Identity[$name])
        $foreign = @($Step.Present.Identity[$name] | Where-Object -FilterScript {
                $_ -and $ours -notcontains $_ })
        if ($foreign.Count -gt 0) {
            "$name $now is not what this change made: it has the identity " +
            "$(Format-StepValue -Value $foreign). Remove it by hand if it shall go, or $keep."
        }
    }
}

function Get-OrphanReason ([hashtable] $Step) {
    # Undo without records: what looks like ours is named and left alone, unless undo left it so.
    $own = Find-Receipt -Id $Runbook.Id
    $left = @{}
    if ($own -and $Runbook.Good -contains $own.Receipt.outcome) {
        $left = ConvertTo-StepValue -Value @($own.Receipt.steps)[$Step.Number - 1].state
    }
    $alike = @(foreach ($name in $Step.Wanted.Keys) {
            $wanted = $Step.Wanted[$name]
            $same = @($Step.Present[$name] | Where-Object -FilterScript { $_ -and (
                        $wanted -contains $_ -or (Test-StepValue -Wanted $wanted -Present $_)) })
            $known = (Test-Kept -Step $Step -Name $name) -or ($left.Contains($name) -and
                (Test-StepValue -Wanted $left[$name] -Present $Step.Present[$name]))
            if ($same.Count -gt 0 -and -not $known) { "$name is $(Format-StepValue -Value $same)" }
        })
    if ($alike.Count -gt 0) {
        "$($Step.Id): $($alike -join ', '), as $($Runbook.Undoes) would leave it. There is no " +
        'record of it here, nothing was taken back. Find the records, or keep the whole step ' +
        "with -KeepPresent '$($Step.Id)' -Reason '...'."
    }
}

function Get-RiskReason ([hashtable] $Step, [object] $Before) {
    # Data of users would be harmed: reasons as from Require. Where reading that fails, and only
    # there, a person may go past it who has looked by hand.
    try { return & $Step.Risk $Before $Step.Present } catch { $text = Get-FailureText -Failure $_ }
    if ($Step.RiskAccepted) { return }
    if ($Runbook.Given.AcceptRisk -notcontains $Step.Id -or $Runbook.Preview) {
        return "$($Step.Count) That cannot be read: $text Repair that, then run this again. If " +
        'it cannot be repaired, look by hand, and if who owns these data agrees, use ' +
        "-AcceptRisk '$($Step.Id)' -Reason '...'."
    }
    $null = Confirm-Question -Step $Step -Hold -Question "$text Go on without this reading?"
    $count = Read-Answer -Question "$($Step.Count) Type the number that you read by hand"
    Write-StepEvent -Step $Step -Status 'answer' -Lines "$($Step.Count) $count."
    if ($count -ne '0') { return "$($Step.Count) By hand somebody read '$count', wanted is 0." }
    Add-Override -Message "$($Step.Id): $text The risk is accepted."
    $Step.RiskAccepted = $true
}

function Clear-UndoneRecord {
    # After-records first: a cut-off here leaves a state that any run can go on from.
    $stamp = (Get-UtcText) -replace '[:.]', ''
    foreach ($kind in 'After', 'Before') {
        foreach ($step in $Runbook.Steps) {
            $path = Get-RecordPath -Step $step -Kind $kind
            if (-not [System.IO.File]::Exists($path)) { continue }
            [System.IO.File]::Move($path, "$path.undone-$stamp")
        }
    }
}
