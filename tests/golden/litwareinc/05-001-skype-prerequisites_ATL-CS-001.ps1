# =====================================================================================
# Runbook 05-001 - Prepare Skype for Business for the trust
#
# Change   CHG0012345
# Run on   atl-cs-001.litwareinc.com   (Skype for Business Server 2015, Front End)
# Rights   RTCUniversalServerAdmins and local administrator
# Needs    receipt of 00-002
# Effect   None for users. The unified contact store is on by default; without this step
#          contact lists would begin to move to Exchange, and be read-only meanwhile,
#          once the trust works.
# Undo     undo/04-001-undo-skype-prerequisites_ATL-CS-001.ps1
#
# Steps    1   The change may begin
#          2   Deny the unified contact store in the global policy
#          3   Replicate the configuration to the Front Ends
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
    Id = '05-001-skype-prerequisites_ATL-CS-001'
    Change = 'CHG0012345'
    Host = 'ATL-CS-001'
    Domain = 'litwareinc.com'
    ContentHash = 'f8c546e65f35d263b03b0fb0d622b3d3f6c5b91c24309b352999bc835c54df13'
    Signer = @()
    Window = '2027-03-06T22:00:00+01:00', '2027-03-07T02:00:00+01:00'
    Needs = @(
        @{ Id = '00-002-skype-preflight_ATL-CS-001'
            Hours = 72 }
    )
    Serves = @()
    Undoes = ''
    Voids = @('04-001-undo-skype-prerequisites_ATL-CS-001')
    Witness = $false
    Commands = @(
        'Debug-CsUnifiedContactStore', 'Export-CsConfiguration', 'Get-CsManagementConnection',
        'Get-CsManagementStoreReplicationStatus', 'Get-CsUserServicesPolicy',
        'Invoke-CsManagementStoreReplication', 'Set-CsUserServicesPolicy')
    Members = @('RTCUniversalServerAdmins')
    Rights = 'Ask for RTCUniversalServerAdmins, then sign out and in again.'
    Next = '10-001-exchange-partner-application_ATL-EXCHANGE-00.ps1 on ATL-EXCHANGE-00, with the receipt of this one'
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
# Step 1 of 3 - The change may begin
#
# Why      From here on servers are changed.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'go'
    Title = 'The change may begin'
    Ask = 'Did the preflight of every server end with 0, and has the change manager decided that CHG0012345 begins now?'
    Who = 'who leads the change'
}

# =====================================================================================
# Step 2 of 3 - Deny the unified contact store in the global policy
#
# Why      It is on by default, so the finished trust would start to move contact lists.
# Effect   None for users.
# Done     The global user services policy denies it.
# Undo     undo/04-001 restores the value recorded before.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'contact-store-guard'
    Title = 'Deny the unified contact store in the global policy'
    Text = 'a937ed1e2f5ea5267950534b660679086528e3820906a19facaa8b69da21d8dd'
    Replicates = $true
    Wanted = [ordered] @{
        ucsAllowed = 'False'
    }
    Read = {
        $policy = Get-CsUserServicesPolicy -Identity 'global' -ErrorAction Stop
        [ordered] @{ ucsAllowed = $policy.UcsAllowed }
    }
    Require = {
        foreach ($policy in @(Get-CsUserServicesPolicy -ErrorAction Stop)) {
            if ($policy.Identity -ne 'Global' -and [string] $policy.UcsAllowed -ne 'False') {
                "The policy $($policy.Identity) lets contact lists move to Exchange, and this " +
                'runbook sets the global one alone. Run first: Set-CsUserServicesPolicy ' +
                "-Identity '$($policy.Identity)' -UcsAllowed `$false"
            }
        }
        # What has moved already does not come back by itself: somebody decides about it first.
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
                '; or, if they shall stay, write unified_contact_store: allow, and build again.'
            }
        }
    }
    Apply = {
        Set-CsUserServicesPolicy -Identity 'global' -UcsAllowed $false -ErrorAction Stop
    }
}

# =====================================================================================
# Step 3 of 3 - Replicate the configuration to the Front Ends
#
# Why      Each Front End works from its own copy; what follows would meet the old one.
# Effect   None for users.
# Done     Every Front End of the inventory is up to date, and the copy of this one is
#          as the steps before left the store.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'replication'
    Title = 'Replicate the configuration to the Front Ends'
    Text = 'd3bacc35160dd16396f8a4ce97c9838edfa8c5b607fe029fe5d153c1159f5313'
    Follows = @('contact-store-guard')
    Repeats = $true
    TimeoutSeconds = 600
    Wanted = [ordered] @{
        behind = @()
        localCopy = @(
            'contact-store-guard')
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
        $left = $past['05-001-skype-prerequisites_ATL-CS-001']
        $shown = @()
        $policy = @(Get-CsUserServicesPolicy -LocalStore -ErrorAction Stop |
                Where-Object -FilterScript { $_.Identity -eq 'Global' })
        if ($left -is [hashtable] -and "$($policy | ForEach-Object -Process { $_.UcsAllowed })" -eq
            $left.State['contact-store-guard'].ucsAllowed) {
            $shown += 'contact-store-guard'
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
