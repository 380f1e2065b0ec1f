# =====================================================================================
# Runbook 30-001 - Register Exchange as a partner application of Skype for Business
#
# Change   CHG0047110
# Run on   ham-fe-01.contoso.com   (Skype for Business Server 2019, Front End)
# Rights   RTCUniversalServerAdmins and local administrator
# Needs    receipts of 00-005, 05-002, 10-001, 20-001 to 20-004
# Effect   Contact lists begin to move to Exchange at the next sign-in of their users,
#          and are changed in Exchange from then on: decided in the inventory.
# Undo     undo/01-001-undo-skype-partner-application_HAM-FE-01.ps1
#
# Steps    1   Set the Exchange Autodiscover URL
#          2   Register Exchange as a partner application
#          3   Replicate the trust to the Front Ends
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
    Id = '30-001-skype-partner-application_HAM-FE-01'
    Change = 'CHG0047110'
    Host = 'HAM-FE-01'
    Domain = 'corp.contoso.net'
    ContentHash = '3d9ff0ea39d9206402a4e1924a894b706373295b5dadbea779d1ab3324c1e14b'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = '2027-05-08T20:00:00+02:00', '2027-05-09T06:00:00+02:00'
    Needs = @(
        @{ Id = '00-005-skype-preflight_HAM-FE-01'
            Hours = 48 }
        @{ Id = '05-002-skype-prerequisites_HAM-FE-01'
            Hours = $null }
        @{ Id = '10-001-exchange-partner-application_HAM-EX-01'
            Hours = $null }
        @{ All = 'exchange-restart'
            Hours = $null }
    )
    Serves = @()
    Undoes = ''
    Voids = @('01-001-undo-skype-partner-application_HAM-FE-01')
    Witness = $false
    Commands = @(
        'Export-CsConfiguration', 'Get-CsManagementConnection',
        'Get-CsManagementStoreReplicationStatus', 'Get-CsOAuthConfiguration',
        'Get-CsPartnerApplication', 'Invoke-CsManagementStoreReplication',
        'New-CsPartnerApplication', 'Set-CsOAuthConfiguration')
    Members = @('S-1-5-21-2127521184-1604012920-1887927527-74210')
    Rights = 'Ask for RTCUniversalServerAdmins, then sign out and in again.'
    Next = '50-001-exchange-verification_HAM-EX-01.ps1 on HAM-EX-01'
    Help = 'Skype for Business team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\Real-Time Communications\' +
    '{A593FD00-64F1-4288-A6F4-E699ED9DCA35}'
    $version = Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
        Select-Object -ExpandProperty 'Version' -ErrorAction SilentlyContinue
    if ([string] $version -notlike '7.0.2046.*') {
        "The version here is '$version', wanted is " + '7.0.2046.*' + ', ' +
        'Skype for Business Server 2019' + '. Run this on the Front End in the header, or correct ' +
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
# Step 1 of 3 - Set the Exchange Autodiscover URL
#
# Why      Skype for Business finds the mailboxes of its users through this address.
# Effect   None for users until Exchange is registered.
# Done     The global OAuth configuration shows the address ending in .svc.
# Undo     undo/01-001 restores the address recorded before.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'autodiscover-url'
    Title = 'Set the Exchange Autodiscover URL'
    Text = '7707fed009995149469fdbe69ad126029981a23fe96f9ecb45b8384d193bd857'
    Replicates = $true
    Wanted = [ordered] @{
        url = 'https://autodiscover.contoso.com/autodiscover/autodiscover.svc'
    }
    Read = {
        $oauth = Get-CsOAuthConfiguration -Identity 'global' -ErrorAction Stop
        [ordered] @{ url = $oauth.ExchangeAutodiscoverUrl }
    }
    Require = {
        param ($before)
        if ($before.url) {
            "The Autodiscover URL is '$($before.url)' already. If nobody needs it, run: " +
            'Set-CsOAuthConfiguration -Identity global -ExchangeAutodiscoverUrl $null; if it is ' +
            'right, correct exchange.autodiscover in the inventory and build again.'
        }
    }
    Apply = {
        $url = 'https://autodiscover.contoso.com/autodiscover/autodiscover.svc'
        Set-CsOAuthConfiguration -Identity 'global' -ExchangeAutodiscoverUrl $url -ErrorAction Stop
    }
}

# =====================================================================================
# Step 2 of 3 - Register Exchange as a partner application
#
# Why      Tokens of Exchange are accepted only from a registered application.
# Effect   Trust Full: Exchange may act for any user of Skype for Business. Contact
#          lists begin to move to Exchange at the next sign-in of their users.
# Done     One enabled application with Exchange's identifier, our URL, trust Full.
# Undo     undo/01-001 removes the application if this step made it.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'partner-application'
    Title = 'Register Exchange as a partner application'
    Text = '877afbb9fe2f27c552cab71dfac029285480e2168179beee08896bec2e7294a6'
    Replicates = $true
    Wanted = [ordered] @{
        application = 'Exchange'
        url = 'https://mail.contoso.com/autodiscover/metadata/json/1'
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
    Require = {
        param ($before)
        foreach ($one in @(Get-CsPartnerApplication -ErrorAction Stop)) {
            $online = [string] $one.AuthToken -match 'UseOAuthServer$'
            if (-not $online -and
                $one.ApplicationIdentifier -eq '00000002-0000-0ff1-ce00-000000000000') {
                if ($one.Identity -ne 'Exchange' -or $before.application -contains 'Exchange') {
                    "$($one.Identity) stands for Exchange already ($($one.AuthToken), enabled " +
                    "$($one.Enabled)), made another way. If the Skype for Business team agrees, " +
                    "run: Remove-CsPartnerApplication -Identity '$($one.Identity)'"
                }
            } elseif ($one.Identity -eq 'Exchange') {
                "The name 'Exchange' belongs to $($one.ApplicationIdentifier). If the Skype for " +
                "Business team agrees, run: Remove-CsPartnerApplication -Identity 'Exchange'"
            }
        }
    }
    Apply = {
        $application = @{ Identity = 'Exchange'; ApplicationTrustLevel = 'Full' }
        $application.MetadataUrl = 'https://mail.contoso.com/autodiscover/metadata/json/1'
        New-CsPartnerApplication @application -ErrorAction Stop
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
    Text = 'ff922fd4180eb7b47d87712e41bd14a98331afb9ce3e5de3b2d892764b19e4a0'
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
        $servers = 'ham-fe-01.contoso.com ham-fe-02.contoso.com hamburg-front-end-03.contoso.com sin-sfb-01.contoso.com'
        $behind = @(foreach ($server in $servers.Split(' ')) {
                if (@($replicas | Where-Object -FilterScript {
                            $_.ReplicaFqdn -eq $server -and [string] $_.UpToDate -eq 'True' }
                    ).Count -ne 1) {
                    $server
                }
            })
        # That a replica is up to date can still be said from before: the copy of this server must
        # also show what the steps before left.
        $left = $past['30-001-skype-partner-application_HAM-FE-01']
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
        $here = 'ham-fe-01.contoso.com'
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
                $servers = 'ham-fe-01.contoso.com ham-fe-02.contoso.com hamburg-front-end-03.contoso.com sin-sfb-01.contoso.com'
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

# Here stands engine.ps1, the same in every script.
