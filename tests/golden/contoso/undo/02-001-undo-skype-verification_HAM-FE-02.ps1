# =====================================================================================
# Undo 02-001 - HAM-FE-02 has received the rollback
#
# Change   CHG0047110
# Run on   ham-fe-02.contoso.com   (Skype for Business Server 2019, Front End)
# Rights   RTCUniversalUserAdmins and local administrator
# Needs    receipt of 01-001
# Effect   None: it only reads, and waits for up to 10 minutes.
#
# Checks   1   The copy of HAM-FE-02 shows what the runbooks before left in the store
#
# Exit     0 proven, 1 failed, 2 refused, 4 not proven
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
    Id = '02-001-undo-skype-verification_HAM-FE-02'
    Change = 'CHG0047110'
    Host = 'HAM-FE-02'
    Domain = 'corp.contoso.net'
    ContentHash = 'f20c478119a893b337ffb22664a0c6f44022cd36abbf651f205f11d452b6886a'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @(
        @{ Id = '01-001-undo-skype-partner-application_HAM-FE-01'
            Hours = $null }
    )
    Serves = @('01-001-undo-skype-partner-application_HAM-FE-01')
    Undoes = ''
    Voids = @()
    Witness = $false
    Commands = @(
        'Get-CsManagementConnection', 'Get-CsOAuthConfiguration', 'Get-CsPartnerApplication')
    Members = @('S-1-5-21-2127521184-1604012920-1887927527-74211')
    Rights = 'Ask for RTCUniversalUserAdmins, then sign out and in again.'
    Next = 'undo/02-002-undo-skype-verification_HAM-FE-03.ps1 on HAM-FE-03'
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

# =====================================================================================
# Check 1 of 1 - The copy of HAM-FE-02 shows what the runbooks before left in the store
#
# Why      Each Front End works from its own copy, which may lag behind the others.
# Passed   It shows Autodiscover URL and partner application as they were left.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'local-copy'
    Title = 'The copy of HAM-FE-02 shows what the runbooks before left in the store'
    TimeoutSeconds = 600
    Otherwise = 'Run Invoke-CsManagementStoreReplication -ReplicaFqdn ham-fe-02.contoso.com, then run this again; if that does not help, Restart-Service -Name REPLICA on HAM-FE-02.'
    Wanted = [ordered] @{
        localCopy = 'autodiscover-url', 'partner-application'
    }
    Read = {
        param ($source, $past)
        $left = $past['01-001-undo-skype-partner-application_HAM-FE-01']
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
        [ordered] @{ localCopy = $shown }
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

# Here stands engine.ps1, the same in every script.
