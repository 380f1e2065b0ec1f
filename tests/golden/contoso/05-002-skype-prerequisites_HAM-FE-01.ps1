# =====================================================================================
# Runbook 05-002 - Prepare Skype for Business for the trust
#
# Change   CHG0047110
# Run on   ham-fe-01.contoso.com   (Skype for Business Server 2019, Front End)
# Rights   RTCUniversalServerAdmins and local administrator
# Needs    receipt of 00-005
# Effect   A trust that exists already (Exchange, SharePoint, Microsoft 365) breaks
#          until its other side has read the new certificate; without such a trust:
#          none.
# Undo     undo/05-001-undo-skype-prerequisites_HAM-FE-01.ps1
#
# Steps    1   Assign the certificate that signs the tokens, for all Front Ends
#          2   Replicate the configuration to the Front Ends
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
    Id = '05-002-skype-prerequisites_HAM-FE-01'
    Change = 'CHG0047110'
    Host = 'HAM-FE-01'
    Domain = 'corp.contoso.net'
    ContentHash = '19d68bf228f88977a9a33beb68427e49188ad558e3bf97a73e2067864c72476a'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = '2027-05-08T20:00:00+02:00', '2027-05-09T06:00:00+02:00'
    Needs = @(
        @{ Id = '00-005-skype-preflight_HAM-FE-01'
            Hours = 48 }
    )
    Serves = @()
    Undoes = ''
    Voids = @('05-001-undo-skype-prerequisites_HAM-FE-01')
    Witness = $false
    Commands = @(
        'Export-CsConfiguration', 'Get-CsCertificate', 'Get-CsManagementConnection',
        'Get-CsManagementStoreReplicationStatus', 'Invoke-CsManagementStoreReplication',
        'Set-CsCertificate')
    Members = @('S-1-5-21-2127521184-1604012920-1887927527-74210')
    Rights = 'Ask for RTCUniversalServerAdmins, then sign out and in again.'
    Next = '10-001-exchange-partner-application_HAM-EX-01.ps1 on HAM-EX-01, with the receipt of this one'
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
# Step 1 of 2 - Assign the certificate that signs the tokens, for all Front Ends
#
# Why      Exchange downloads it, so it must be final before Exchange is changed.
# Effect   Tokens are signed with it as soon as it has reached a Front End.
# Done     Exactly this certificate is assigned globally as OAuthTokenIssuer.
# Undo     undo/05-001 assigns the one recorded before, or none.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'oauth-certificate'
    Title = 'Assign the certificate that signs the tokens, for all Front Ends'
    Text = 'b4b6b6d94c30bbcf730965b2b03876811dfce6430e07f60b3f17efdd28bbc8e2'
    Replicates = $true
    Wanted = [ordered] @{
        thumbprint = '966918EADDDD46574085FDAE13B59397E3633787'
    }
    Read = {
        $global = @{ Identity = 'global'; Type = 'OAuthTokenIssuer'; ErrorAction = 'Stop' }
        $assigned = @(Get-CsCertificate @global)
        [ordered] @{ thumbprint = @($assigned | ForEach-Object -Process { $_.Thumbprint }) }
    }
    Require = {
        foreach ($wanted in @('966918EADDDD46574085FDAE13B59397E3633787')) {
            $found = @(Get-ChildItem -LiteralPath 'Cert:\LocalMachine\My' -ErrorAction Stop |
                    Where-Object -FilterScript { $_.Thumbprint -eq $wanted })
            if (-not @($found | Where-Object -FilterScript { $_.HasPrivateKey }).Count) {
                "The certificate $wanted is not in LocalMachine\My of this server with its " +
                'private key. Import it from a PFX file: certutil.exe -importpfx <file>'
            }
            foreach ($one in $found) {
                $now = Get-Date
                $until = $one.NotAfter.ToString('yyyy-MM-dd', $Runbook.Culture)
                if ($now -lt $one.NotBefore -or $now.AddDays(30) -gt $one.NotAfter) {
                    "The certificate $wanted is valid until $until, wanted is from now on for 30 " +
                    'days. Request another: Request-CsCertificate'
                }
                # 1.2.840.113549.1.1.1 is RSA on Windows of every language.
                $key = $one.PublicKey
                if ($key.Oid.Value -ne '1.2.840.113549.1.1.1' -or $key.Key.KeySize -lt 2048) {
                    "The certificate $wanted has no RSA key of 2048 bit or more. Request " +
                    'another: Request-CsCertificate -New -Type OAuthTokenIssuer -KeySize 2048 ' +
                    '-PrivateKeyExportable $true -AllSipDomain -Output <file>'
                }
                $names = @($one.DnsNameList | ForEach-Object -Process { $_.Unicode })
                foreach ($domain in @(
                        'contoso.com', 'asia.contoso.com')) {
                    if ($names -notcontains $domain) {
                        "The certificate $wanted names $($names -join ', ') and not the SIP " +
                        "domain $domain. Request another: Request-CsCertificate with -AllSipDomain"
                    }
                }
            }
        }
    }
    Apply = {
        $certificate = @{ Identity = 'global'; Type = 'OAuthTokenIssuer'; ErrorAction = 'Stop' }
        $certificate.Thumbprint = '966918EADDDD46574085FDAE13B59397E3633787'
        Set-CsCertificate @certificate -Confirm:$false
    }
}

# =====================================================================================
# Step 2 of 2 - Replicate the configuration to the Front Ends
#
# Why      Each Front End works from its own copy; what follows would meet the old one.
# Effect   None for users.
# Done     Every Front End of the inventory is up to date, and the copy of this one is
#          as the steps before left the store.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'replication'
    Title = 'Replicate the configuration to the Front Ends'
    Text = '799791c70db9c4154b8b711331dfd839552e54e6d7e81b0e0ffcb843e7a53171'
    Follows = @('oauth-certificate')
    Repeats = $true
    TimeoutSeconds = 600
    Wanted = [ordered] @{
        behind = @()
        localCopy = @(
            'oauth-certificate')
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
        $left = $past['05-002-skype-prerequisites_HAM-FE-01']
        $shown = @()
        # Without -Identity: the certificates that this very server has.
        $own = @(Get-CsCertificate -Type 'OAuthTokenIssuer' -ErrorAction Stop |
                ForEach-Object -Process { $_.Thumbprint })
        if ($left -is [hashtable] -and
            "$own" -eq "$($left.State['oauth-certificate'].thumbprint)") {
            $shown += 'oauth-certificate'
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
