# =====================================================================================
# Undo 03-001 - Remove Skype for Business as a partner application of Exchange
#
# Change   CHG0047110
# Run on   ham-ex-01.contoso.com   (Exchange Server 2019, Mailbox)
# Rights   Organization Management and local administrator
# Needs    receipt of 01-001; the records of
#          10-001-exchange-partner-application_HAM-EX-01 on this server
# Effect   Exchange refuses tokens of Skype for Business, server by server: after the
#          next IIS restart, else within about 15 minutes.
#
# Steps    1   Remove Skype for Business as a partner application
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
    Id = '03-001-undo-exchange-partner-application_HAM-EX-01'
    Change = 'CHG0047110'
    Host = 'HAM-EX-01'
    Domain = 'corp.contoso.net'
    ContentHash = '6af86f577f8470c9bf6231b7657d7b26b3ce3a9fc7ec49111418987863a686c4'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @(
        @{ Id = '01-001-undo-skype-partner-application_HAM-FE-01'
            Hours = $null }
    )
    Serves = @()
    Undoes = '10-001-exchange-partner-application_HAM-EX-01'
    Voids = @('10-001-exchange-partner-application_HAM-EX-01')
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-ExchangeServer', 'Get-ManagementRoleAssignment',
        'Get-PartnerApplication', 'Get-User', 'Remove-MailUser', 'Remove-ManagementRoleAssignment',
        'Remove-PartnerApplication')
    Members = @()
    Rights = 'Ask for Organization Management; with split permissions also for the role Mail Recipient Creation.'
    Next = 'undo/04-001-undo-exchange-restart_HAM-EX-01.ps1 on HAM-EX-01'
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

$Runbook.Save = {
    param ($path)
    $text = Get-PartnerApplication -ErrorAction Stop | Format-List -Property '*' | Out-String
    [System.IO.File]::WriteAllText("$path.txt", $text)
}

# =====================================================================================
# Step 1 of 1 - Remove Skype for Business as a partner application
#
# Why      10-001-exchange-partner-application_HAM-EX-01 made it.
# Effect   Exchange refuses tokens of Skype for Business after the next IIS restart; the
#          account that was made is deleted from Active Directory.
# Done     Application, account and roles are as they were recorded before.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'partner-application'
    Title = 'Remove Skype for Business as a partner application'
    Text = '475fc67b6b31a1fe33c610f9792510120161449489c4274b3829e3927f523de3'
    Relaxed = $true
    Wanted = [ordered] @{
        application = @{ Pattern = '^LyncEnterprise-[0-9a-f]{32}$'; Text = 'LyncEnterprise-<Guid>' }
        url = 'https://ham-pool-web.contoso.com/metadata/json/1'
        enabled = 'True'
        acceptsSid = 'True'
        certificate = 'present'
        account = @{ Pattern = '^LyncEnterprise-ApplicationAccount\d*$'; Text = 'its own account' }
        roles = 'ArchiveApplication', 'MeetingGraphApplication', 'UserApplication'
    }
    Read = {
        param ($source)
        $source = 'ham-dc-01.corp.contoso.net'
        $at = @{ DomainController = $source; ErrorAction = 'Stop' }
        $state = [ordered] @{
            application = @(); url = ''; enabled = ''; acceptsSid = ''; certificate = ''
            account = @(); roles = @(); Source = $source
            Identity = [ordered] @{ application = @(); account = @(); roles = @() }
        }
        # Listed and filtered: -Identity may answer with all. What uses the authorization server
        # is the online trust, not ours.
        $linked = @()
        foreach ($one in @(Get-PartnerApplication @at)) {
            if ($one.ApplicationIdentifier -eq '00000004-0000-0ff1-ce00-000000000000' -and
                [string] $one.UseAuthServer -ne 'True') {
                $state.application += $one.Name
                $state.Identity.application += [string] $one.Guid
                $state.url = $one.AuthMetadataUrl
                $state.enabled = $one.Enabled
                $state.acceptsSid = $one.AcceptSecurityIdentifierInformation
                $state.certificate = ''
                if (@($one.CertificateStrings)) {
                    $state.certificate = 'present'
                }
                $linked += ([string] $one.LinkedAccount -split '/')[-1]
            }
        }
        # The application's own account, or the one that Microsoft's script would take.
        $like = "Name -like 'LyncEnterprise-ApplicationAccount*'"
        foreach ($user in @(Get-User -Filter $like -ResultSize 'Unlimited' @at)) {
            if ($linked.Count -eq 0 -or $linked -contains $user.Name) {
                $state.account += $user.Name
                $state.Identity.account += [string] $user.Guid
                $direct = @{ RoleAssignee = $user.Name; AssignmentMethod = 'Direct' }
                $roles = @(Get-ManagementRoleAssignment @direct @at)
                $state.roles += @($roles | ForEach-Object -Process { [string] $_.Role })
                $state.Identity.roles += @($roles | ForEach-Object -Process { [string] $_.Guid })
            }
        }
        $state
    }
    Require = {
        param ($before, $present)
        # The account goes with the application, unless something else uses it by now.
        $at = @{ DomainController = $present.Source; ErrorAction = 'Stop' }
        foreach ($one in @(Get-PartnerApplication @at)) {
            $account = ([string] $one.LinkedAccount -split '/')[-1]
            if ($present.Identity.application -notcontains [string] $one.Guid -and
                $present.account -contains $account -and $before.account -notcontains $account) {
                "$($one.Name) uses the account $account by now. Its owner gives it another one: " +
                "Set-PartnerApplication -Identity '$($one.Name)' -LinkedAccount '<its account>'"
            }
        }
    }
    Apply = {
        param ($before, $present)
        # Only what was not there before, by its Guid; the account last, its user in AD goes too.
        $at = @{ DomainController = $present.Source; Confirm = $false; ErrorAction = 'Stop' }
        foreach ($one in $present.Identity.application) {
            if ($before.Identity.application -notcontains $one) {
                Remove-PartnerApplication -Identity $one @at
            }
        }
        foreach ($one in $present.Identity.roles) {
            if ($before.Identity.roles -notcontains $one) {
                Remove-ManagementRoleAssignment -Identity $one @at
            }
        }
        foreach ($one in $present.Identity.account) {
            if ($before.Identity.account -notcontains $one) {
                Remove-MailUser -Identity $one @at
            }
        }
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
