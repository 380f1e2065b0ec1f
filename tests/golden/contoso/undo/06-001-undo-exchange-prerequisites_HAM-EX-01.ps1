# =====================================================================================
# Undo 06-001 - Roll back the published Autodiscover addresses
#
# Change   CHG0047110
# Run on   ham-ex-01.contoso.com   (Exchange Server 2019, Mailbox)
# Rights   Organization Management and local administrator
# Needs    receipt of 03-001; the records of 05-001-exchange-prerequisites_HAM-EX-01 on
#          this server
# Effect   Outlook in the domain no longer learns the address from Active Directory.
#
# Steps    1   Publish what was published before
#          2   Every domain controller that HAM-EX-01 uses shows the addresses
#
# Preview  powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File <this> -WhatIf
# Exit     0 done, 1 failed, 2 refused and nothing changed, 3 declined, 4 not verified
#
# From     inventory contoso, generated: an edited copy refuses to run.
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
    Id = '06-001-undo-exchange-prerequisites_HAM-EX-01'
    Change = 'CHG0047110'
    Host = 'HAM-EX-01'
    Domain = 'corp.contoso.net'
    ContentHash = '43c21408840e37ff590ec486bc917921dfd19c6048ef6560e624cc4ea4e71560'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @(
        @{ Id = '03-001-undo-exchange-partner-application_HAM-EX-01'
            Hours = $null }
    )
    Serves = @()
    Undoes = '05-001-exchange-prerequisites_HAM-EX-01'
    Voids = @('05-001-exchange-prerequisites_HAM-EX-01')
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-ClientAccessService', 'Get-ExchangeServer',
        'Set-ClientAccessService')
    Members = @()
    Rights = 'Ask for Organization Management.'
    Next = 'nothing, this was the last runbook of the change'
    Help = 'Exchange team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup'
    $found = [string] (Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
            ForEach-Object -Process {
            '{0}.{1}.{2}' -f $_.MsiProductMajor, $_.MsiProductMinor, $_.MsiBuildMajor })
    if ($found -notlike '15.2.*' -or [int] $found.Split('.')[2] -ge 2562) {
        "The inventory says Exchange Server 2019 (15.2), found is '$found'. Run this on the " +
        'right server, or correct the version in the inventory and build again.'
    }
    $file = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\RemoteExchange.ps1'
    Get-SignerProblem -Path $file -Signer 'O=Microsoft Corporation'
}

$Runbook.Shell = {
    # In a management shell the commands are there already; the probe tells whether they answer.
    if (-not (Get-Command -Name 'Get-PartnerApplication' -ErrorAction SilentlyContinue)) {
        $file = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\RemoteExchange.ps1'
        Import-Module -Name $file -Force
        $here = 'ham-ex-01.contoso.com'
        Connect-ExchangeServer -ServerFqdn $here -ClientApplication 'ManagementShell'
    }
}

$Runbook.Probe = {
    Get-ExchangeServer -Identity 'HAM-EX-01' -ErrorAction Stop
}

$Runbook.Discard = {
    # IIS hosts the session: after its restart the commands would only seem to be there.
    foreach ($session in Get-PSSession | Where-Object -FilterScript {
            $_.ConfigurationName -eq 'Microsoft.Exchange' }) {
        Remove-PSSession -Session $session
    }
}

# =====================================================================================
# Step 1 of 2 - Publish what was published before
#
# Why      05-001-exchange-prerequisites_HAM-EX-01 filled in what was blank.
# Effect   Outlook in the domain no longer learns the address from Active Directory.
# Done     Each server publishes what it published before this change.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'autodiscover-uri'
    Title = 'Publish what was published before'
    Text = 'b72aee2b3179956d1573cfcf0b451c1da77cf5ea8755884f002047620fda6ca3'
    Wanted = [ordered] @{
        'HAM-EX-01' = 'https://autodiscover.contoso.com/autodiscover/autodiscover.xml'
        'HAM-EX-02' = 'https://autodiscover.contoso.com/autodiscover/autodiscover.xml'
        'SINGAPORE-EX-01' = 'https://autodiscover-asia.contoso.com/autodiscover/autodiscover.xml'
        'SINGAPORE-EX-02' = 'https://autodiscover-asia.contoso.com/autodiscover/autodiscover.xml'
    }
    Read = {
        param ($source)
        $source = 'ham-dc-01.corp.contoso.net'
        $at = @{ DomainController = $source; ErrorAction = 'Stop' }
        $state = [ordered] @{ Source = $source }
        foreach ($name in @($Step.Wanted.Keys)) {
            $server = Get-ClientAccessService -Identity $name @at
            $state[$name] = [string] $server.AutoDiscoverServiceInternalUri
        }
        $state
    }
    Apply = {
        param ($before, $present)
        $at = @{ DomainController = $present.Source; ErrorAction = 'Stop' }
        foreach ($name in @($Step.Wanted.Keys)) {
            if ($present[$name] -ne $before[$name]) {
                # Blank before: only $null makes it blank again.
                $uri = $null
                if ($before[$name]) {
                    $uri = $before[$name]
                }
                Set-ClientAccessService -Identity $name -AutoDiscoverServiceInternalUri $uri @at
            }
        }
    }
}

# =====================================================================================
# Check 2 of 2 - Every domain controller that HAM-EX-01 uses shows the addresses
#
# Why      Clients ask the domain controllers of their site.
# Passed   Each shows what the step before left.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'autodiscover-replicated'
    Title = 'Every domain controller that HAM-EX-01 uses shows the addresses'
    Follows = @('autodiscover-uri')
    TimeoutSeconds = 900
    Otherwise = 'Wait for Active Directory replication, then run this again.'
    Wanted = [ordered] @{
        behind = @()
    }
    Read = {
        param ($source, $past)
        $own = @{ Identity = 'HAM-EX-01'; Status = $true; ErrorAction = 'Stop' }
        $server = Get-ExchangeServer @own
        $controllers = @(@($server.CurrentDomainControllers) + @($server.CurrentGlobalCatalogs) +
            $server.CurrentConfigDomainController | Where-Object -FilterScript { $_ } |
                Sort-Object -Unique)
        if ($controllers.Count -eq 0) {
            throw 'Exchange names no domain controller. Run Get-ExchangeServer -Status by hand.'
        }
        $left = $past['06-001-undo-exchange-prerequisites_HAM-EX-01'].State['autodiscover-uri']
        $state = [ordered] @{ behind = @() }
        foreach ($controller in $controllers) {
            foreach ($name in @($left.Keys | Where-Object -FilterScript {
                        ('Identity', 'Source') -notcontains $_ })) {
                $at = @{ Identity = $name; DomainController = $controller; ErrorAction = 'Stop' }
                $server = Get-ClientAccessService @at
                if ([string] $server.AutoDiscoverServiceInternalUri -ne [string] $left[$name]) {
                    $state.behind += "$controller for $name"
                }
            }
        }
        $state
    }
}

# =====================================================================================
# Engine, part signer - the same text in every runbook that judges a signature
# =====================================================================================

function Get-SignerProblem ([string] $Path, [string[]] $Signer, [switch] $Own) {
    # One sentence when a file is not as one of its signers (thumbprint, part of subject) left it.
    $again = 'Restore it from the installation media of this build.'
    if ($Own) { $again = 'Fetch the approved file again.' }
    if (-not [System.IO.File]::Exists($Path)) { return "$Path is missing. $again" }
    $signature = Get-AuthenticodeSignature -LiteralPath $Path -ErrorAction Stop
    $subject = $thumbprint = ''
    $by = $signature.SignerCertificate
    if ($by) { $subject, $thumbprint = [string] $by.Subject, [string] $by.Thumbprint }
    # A comma between quotes divides no subject: such a name could hold another one.
    $parts = $subject -split ', (?=(?:[^"]*"[^"]*")*[^"]*$)'
    $expected = @($Signer | Where-Object -FilterScript {
            $_ -eq $thumbprint -or ($_ -match '=' -and $parts -ccontains $_) })
    $status = [string] $signature.Status
    $words = @{
        NotSigned = "it has no signature. $again"
        HashMismatch = "it was changed after '$subject' signed it. $again"
        NotTrusted = "'$subject' is distrusted on this server. Ask who manages its certificates."
        UnknownError = "this server does not know the root of the chain of '$subject', or the " +
        'certificate is out of its time. Import that root (no Internet here), then run this again.'
        NotSupportedFileFormat = "Windows finds no place for a signature in it. $again"
        Incompatible = 'its signature uses an algorithm that this server does not know. Have it ' +
        'signed with SHA-256, or update Windows.'
    }
    if ($words.ContainsKey($status)) {
        "${Path}: $($words[$status])"
    } elseif ($status -ne 'Valid') {
        "${Path}: the signature status is $status. $again"
    } elseif ($expected.Count -eq 0) {
        "$Path is signed by '$subject', expected is '$($Signer -join "' or '")'. $again"
    }
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
