# =====================================================================================
# Undo 01-001 - Remove Exchange as a partner application of Skype for Business
#
# Change   CHG0012345
# Run on   atl-cs-001.litwareinc.com   (Skype for Business Server 2015, Front End)
# Rights   RTCUniversalServerAdmins and local administrator
# Needs    the records of 30-001-skype-partner-application_ATL-CS-001 on this server
# Effect   What uses Exchange from Skype for Business stops. Refused while a contact
#          list lives in Exchange, because its user would lose it.
#
# Steps    1   Remove Exchange as a partner application
#          2   Restore the Exchange Autodiscover URL
#          3   Replicate the trust to the Front Ends
#
# Preview  powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File <this> -WhatIf
# Exit     0 done, 1 failed, 2 refused and nothing changed, 3 declined, 4 not verified
#
# From     inventory litwareinc, generated: an edited copy refuses to run.
# =====================================================================================

#Requires -Version 3.0
[CmdletBinding(SupportsShouldProcess = $true)]
param (
    [switch] $Unattended,
    [string] $ReceiptPath = '',
    [string[]] $SkipReceipt = @(),
    [string[]] $KeepPresent = @(),
    [string[]] $AcceptRisk = @(),
    [switch] $OutsideWindow,
    [string] $Reason = ''
)

if ([string] $ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Host -Object ('Constrained Language Mode: nothing was changed. Ask who manages ' +
        'AppLocker or WDAC to allow the signer of this file, then run it again.')
    exit 2
}

$Runbook = @{
    Id = '01-001-undo-skype-partner-application_ATL-CS-001'
    Change = 'CHG0012345'
    Host = 'ATL-CS-001'
    Domain = 'litwareinc.com'
    ContentHash = '39b71f24f4fb428c239dc5219fff7971e6df6df98ac0432ac634bfbfa85119ed'
    Signer = @()
    Window = $null
    Needs = @()
    Serves = @()
    Undoes = '30-001-skype-partner-application_ATL-CS-001'
    Voids = @('30-001-skype-partner-application_ATL-CS-001')
    Witness = $false
    Commands = @(
        'Debug-CsUnifiedContactStore', 'Export-CsConfiguration', 'Get-CsManagementConnection',
        'Get-CsManagementStoreReplicationStatus', 'Get-CsOAuthConfiguration',
        'Get-CsPartnerApplication', 'Get-CsUserServicesPolicy',
        'Invoke-CsManagementStoreReplication', 'Remove-CsPartnerApplication',
        'Set-CsOAuthConfiguration')
    Members = @('RTCUniversalServerAdmins')
    Rights = 'Ask for RTCUniversalServerAdmins, then sign out and in again.'
    Next = 'undo/02-001-undo-exchange-partner-application_ATL-EXCHANGE-00.ps1 on ATL-EXCHANGE-00, with the receipt of this one'
    Help = 'Skype for Business team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\Real-Time Communications\' +
    '{A593FD00-64F1-4288-A6F4-E699ED9DCA35}'
    $version = Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
        Select-Object -ExpandProperty 'Version' -ErrorAction SilentlyContinue
    if ([string] $version -notlike '6.0.9319.*') {
        "The version here is '$version', wanted is " + '6.0.9319.*' + ', ' +
        'Skype for Business Server 2015' + '. Run this on the Front End in the header, or correct ' +
        'skype.version in the inventory and build again.'
    }
}

$Runbook.Shell = {
    Import-Module -Name 'SkypeForBusiness' -ErrorAction Stop
}

$Runbook.Probe = {
    Get-CsManagementConnection -ErrorAction Stop
}

$Runbook.Save = {
    param ($path)
    Export-CsConfiguration -FileName "$path.zip" -ErrorAction Stop
}

# =====================================================================================
# Step 1 of 3 - Remove Exchange as a partner application
#
# Why      30-001-skype-partner-application_ATL-CS-001 made it.
# Effect   Skype for Business refuses the tokens of Exchange.
# Done     The partner application is as it was recorded before.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'partner-application'
    Title = 'Remove Exchange as a partner application'
    Text = 'cb3e1303e45653fd4478138526014f21c36637b782fd5b13f07137aca9ef654a'
    Replicates = $true
    Count = 'How many contact lists live in Exchange or move there?'
    Wanted = [ordered] @{
        application = 'Exchange'
        url = 'https://autodiscover.litwareinc.com/autodiscover/metadata/json/1'
        trust = 'Full'
        enabled = 'True'
    }
    Read = {
        $all = @(Get-CsPartnerApplication -ErrorAction Stop)
        # An application that uses the authorization server is the online trust, not ours.
        $found = @($all | Where-Object -FilterScript {
                $_.ApplicationIdentifier -eq '00000002-0000-0ff1-ce00-000000000000' -and
                [string] $_.AuthToken -notmatch 'UseOAuthServer$' })
        [ordered] @{
            application = @($found | ForEach-Object -Process { $_.Identity })
            url = @($found | ForEach-Object -Process { $_.AuthToken -replace '^Value=' })
            trust = @($found | ForEach-Object -Process { $_.ApplicationTrustLevel })
            enabled = @($found | ForEach-Object -Process { $_.Enabled })
        }
    }
    Risk = {
        # A user whose contact list lives in Exchange would be left without it.
        # No list has moved before (preflight), and while every policy denies it none can.
        $allowing = @(Get-CsUserServicesPolicy -ErrorAction Stop | Where-Object -FilterScript {
                [string] $_.UcsAllowed -ne 'False' })
        if ($allowing.Count -eq 0) {
            return
        }
        foreach ($pool in @(
                'atl-cs-001.litwareinc.com')) {
            $stores = @(Debug-CsUnifiedContactStore -PoolFqdn $pool -ErrorAction Stop)
            if ($stores.Count -eq 0) {
                "Debug-CsUnifiedContactStore -PoolFqdn $pool says nothing. Run it by hand until " +
                'it tells where the contact lists are, then run this again.'
            }
            $moved = 0
            foreach ($store in $stores) {
                $moved += [int] $store.UcsMigratedCount + [int] $store.UcsMigratingCount
            }
            if ($moved -gt 0) {
                "$moved contact lists of $pool live in Exchange or move there. Bring them back: " +
                'Grant-CsUserServicesPolicy -Identity <user> -PolicyName <a policy that denies ' +
                'it>, then Invoke-CsUcsRollback -Identity <user> -Confirm:$false for each user' +
                '; then run this again.'
            }
        }
    }
    Apply = {
        param ($before, $present)
        if ($present.application -and -not $before.application) {
            Remove-CsPartnerApplication -Identity 'Exchange' -Confirm:$false -ErrorAction Stop
        }
    }
}

# =====================================================================================
# Step 2 of 3 - Restore the Exchange Autodiscover URL
#
# Why      30-001-skype-partner-application_ATL-CS-001 set it.
# Effect   Skype for Business no longer finds mailboxes through it.
# Done     The address is as it was recorded before.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'autodiscover-url'
    Title = 'Restore the Exchange Autodiscover URL'
    Text = '0c8278aa0efd4fdb2e47a56abf710d9bd36b9bdc416a5b67292d9314b34c0242'
    Replicates = $true
    Wanted = [ordered] @{
        url = 'https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc'
    }
    Read = {
        $oauth = Get-CsOAuthConfiguration -Identity 'global' -ErrorAction Stop
        [ordered] @{ url = $oauth.ExchangeAutodiscoverUrl }
    }
    Apply = {
        param ($before)
        # An empty address is cleared with nothing, not with an empty text.
        $url = $null
        if ($before.url) {
            $url = $before.url
        }
        Set-CsOAuthConfiguration -Identity 'global' -ExchangeAutodiscoverUrl $url -ErrorAction Stop
    }
}

# =====================================================================================
# Step 3 of 3 - Replicate the trust to the Front Ends
#
# Why      Each Front End works from its own copy; what follows would meet the old one.
# Effect   None for users.
# Done     Every Front End of the inventory is up to date, and the copy of this one is
#          as the steps before left the store.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'replication'
    Title = 'Replicate the trust to the Front Ends'
    Text = 'f8016f7b0aacf51dae6dd8423db06915e677f0e1bd1bddb7861b6be127a84c14'
    Follows = @('autodiscover-url', 'partner-application')
    Repeats = $true
    TimeoutSeconds = 600
    Wanted = [ordered] @{
        behind = @()
        localCopy = @(
            'autodiscover-url', 'partner-application')
    }
    Read = {
        param ($source, $past)
        # Front Ends alone: an Edge Server may be behind for reasons that are not ours.
        $replicas = @(Get-CsManagementStoreReplicationStatus -ErrorAction Stop)
        $servers = 'atl-cs-001.litwareinc.com'
        $behind = @(foreach ($server in $servers.Split(' ')) {
                if (@($replicas | Where-Object -FilterScript {
                            $_.ReplicaFqdn -eq $server -and [string] $_.UpToDate -eq 'True' }
                    ).Count -ne 1) {
                    $server
                }
            })
        # That a replica is up to date can still be said from before: the copy of this server must
        # also show what the steps before left.
        $left = $past['01-001-undo-skype-partner-application_ATL-CS-001']
        $shown = @()
        $oauth = Get-CsOAuthConfiguration -LocalStore -ErrorAction Stop
        if ($left -is [hashtable] -and
            "$($oauth.ExchangeAutodiscoverUrl)" -eq "$($left.State['autodiscover-url'].url)") {
            $shown += 'autodiscover-url'
        }
        $all = @(Get-CsPartnerApplication -LocalStore -ErrorAction Stop)
        # An application that uses the authorization server is the online trust, not ours.
        $found = @($all | Where-Object -FilterScript {
                $_.ApplicationIdentifier -eq '00000002-0000-0ff1-ce00-000000000000' -and
                [string] $_.AuthToken -notmatch 'UseOAuthServer$' })
        $here = @($found | ForEach-Object -Process {
                $_.Identity
                [string] $_.AuthToken -replace '^Value='
                $_.ApplicationTrustLevel
                $_.Enabled })
        if ($left -is [hashtable]) {
            $made = $left.State['partner-application']
            $there = @($made.application; $made.url; $made.trust; $made.enabled)
            if ("$here".Trim() -eq "$there".Trim()) {
                $shown += 'partner-application'
            }
        }
        [ordered] @{ behind = $behind; localCopy = $shown }
    }
    Apply = {
        param ($before, $present)
        # It comes by itself, but not at once; this makes it begin now.
        $here = 'atl-cs-001.litwareinc.com'
        foreach ($server in @(@($present.behind) + $here | Select-Object -Unique)) {
            Invoke-CsManagementStoreReplication -ReplicaFqdn $server -ErrorAction Stop
        }
    }
    Diagnosis = @(
        @{
            Id = 'central-store'
            Text = 'The Central Management Store has an active master'
            Check = {
                $central = @{ CentralManagementStoreStatus = $true; ErrorAction = 'Stop' }
                $store = Get-CsManagementStoreReplicationStatus @central
                $problems = @()
                if (-not [string] $store.ActiveMasterFqdn) {
                    $problems += 'It has no active master. Run: Invoke-CsManagementServerFailover'
                }
                @{ Saw = "the master is '$($store.ActiveMasterFqdn)'"; Problems = $problems }
            }
        }
        @{
            Id = 'replicas'
            Text = 'Every Front End has reported that it is up to date'
            Check = {
                $replicas = @(Get-CsManagementStoreReplicationStatus -ErrorAction Stop)
                $saw = @($replicas | ForEach-Object -Process {
                        "$($_.ReplicaFqdn) $($_.UpToDate) $($_.LastStatusReport)" })
                $servers = 'atl-cs-001.litwareinc.com'
                $problems = @(foreach ($server in $servers.Split(' ')) {
                        if (-not @($saw -match [regex]::Escape("$server True")).Count) {
                            "$server is behind. Run on it: Restart-Service -Name REPLICA; then " +
                            'run this again.'
                        }
                    })
                @{ Saw = $saw; Problems = $problems }
            }
        }
    )
}

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

# Here stands engine.ps1, the same in every script.
