# =====================================================================================
# Runbook 30-001 - Register Exchange as a partner application of Skype for Business
#
# Change   CHG0012345
# Run on   atl-cs-001.litwareinc.com   (Skype for Business Server 2015, Front End)
# Rights   RTCUniversalServerAdmins and local administrator
# Needs    receipts of 00-002, 05-001, 10-001, 20-001
# Effect   None that users see: contact lists stay in Skype for Business (checked here).
# Undo     undo/01-001-undo-skype-partner-application_ATL-CS-001.ps1
#
# Steps    1   Set the Exchange Autodiscover URL
#          2   Register Exchange as a partner application
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
    Id = '30-001-skype-partner-application_ATL-CS-001'
    Change = 'CHG0012345'
    Host = 'ATL-CS-001'
    Domain = 'litwareinc.com'
    ContentHash = '18f7b2ddd68bd433932f710d15dd4c6d0e21fb689481ffc8b50106f0fd1724eb'
    Signer = @()
    Window = '2027-03-06T22:00:00+01:00', '2027-03-07T02:00:00+01:00'
    Needs = @(
        @{ Id = '00-002-skype-preflight_ATL-CS-001'
            Hours = 72 }
        @{ Id = '05-001-skype-prerequisites_ATL-CS-001'
            Hours = $null }
        @{ Id = '10-001-exchange-partner-application_ATL-EXCHANGE-00'
            Hours = $null }
        @{ All = 'exchange-restart'
            Hours = $null }
    )
    Serves = @()
    Undoes = ''
    Voids = @('01-001-undo-skype-partner-application_ATL-CS-001')
    Witness = $false
    Commands = @(
        'Export-CsConfiguration', 'Get-CsManagementConnection',
        'Get-CsManagementStoreReplicationStatus', 'Get-CsOAuthConfiguration',
        'Get-CsPartnerApplication', 'Get-CsUserServicesPolicy',
        'Invoke-CsManagementStoreReplication', 'New-CsPartnerApplication',
        'Set-CsOAuthConfiguration')
    Members = @('RTCUniversalServerAdmins')
    Rights = 'Ask for RTCUniversalServerAdmins, then sign out and in again.'
    Next = '50-001-exchange-verification_ATL-EXCHANGE-00.ps1 on ATL-EXCHANGE-00'
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
    Text = '0c8278aa0efd4fdb2e47a56abf710d9bd36b9bdc416a5b67292d9314b34c0242'
    Replicates = $true
    Wanted = [ordered] @{
        url = 'https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc'
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
        $url = 'https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc'
        Set-CsOAuthConfiguration -Identity 'global' -ExchangeAutodiscoverUrl $url -ErrorAction Stop
    }
}

# =====================================================================================
# Step 2 of 3 - Register Exchange as a partner application
#
# Why      Tokens of Exchange are accepted only from a registered application.
# Effect   Trust Full: Exchange may act for any user of Skype for Business. None for
#          contact lists while the unified contact store stays off.
# Done     One enabled application with Exchange's identifier, our URL, trust Full.
# Undo     undo/01-001 removes the application if this step made it.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'partner-application'
    Title = 'Register Exchange as a partner application'
    Text = 'cb3e1303e45653fd4478138526014f21c36637b782fd5b13f07137aca9ef654a'
    Replicates = $true
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
    Require = {
        param ($before)
        foreach ($one in @(Get-CsPartnerApplication -ErrorAction Stop)) {
            $online = [string] $one.AuthToken -match 'UseOAuthServer$'
            if ($online) {
                "$($one.Identity) is the trust to Exchange Online. Set skype.hybrid to true in " +
                'the inventory, which leaves it alone, and build again.'
            }
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
        # Decided for this change: contact lists stay in Skype for Business, in every scope.
        foreach ($policy in @(Get-CsUserServicesPolicy -ErrorAction Stop)) {
            if ([string] $policy.UcsAllowed -ne 'False') {
                if ($policy.Identity -eq 'Global') {
                    'The global policy lets contact lists move to Exchange. The runbook ' +
                    '05-001-skype-prerequisites_ATL-CS-001' + ' denies it: run that first.'
                } else {
                    "The policy $($policy.Identity) lets contact lists move to Exchange. Run " +
                    "Set-CsUserServicesPolicy -Identity '$($policy.Identity)' -UcsAllowed `$false"
                }
            }
        }
    }
    Apply = {
        $application = @{ Identity = 'Exchange'; ApplicationTrustLevel = 'Full' }
        $application.MetadataUrl = 'https://autodiscover.litwareinc.com/autodiscover/metadata/json/1'
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
        $left = $past['30-001-skype-partner-application_ATL-CS-001']
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

# Here stands engine.ps1, the same in every script.
