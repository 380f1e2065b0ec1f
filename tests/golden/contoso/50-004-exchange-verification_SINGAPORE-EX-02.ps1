# =====================================================================================
# Runbook 50-004 - Verify that SINGAPORE-EX-02 takes tokens of Skype for Business
#
# Change   CHG0047110
# Run on   singapore-exchange-02.contoso.com   (Exchange Server 2016, Mailbox)
# Rights   View-Only Organization Management and local administrator
# Needs    receipts of 10-001, 20-004
# Effect   None: it only reads.
#
# Checks   1   OAuth is on for web services and Autodiscover
#          2   The web services name Skype for Business as a trusted issuer
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
    Id = '50-004-exchange-verification_SINGAPORE-EX-02'
    Change = 'CHG0047110'
    Host = 'SINGAPORE-EX-02'
    Domain = 'asia.corp.contoso.net'
    ContentHash = 'f171d941880fa24084d4366ad78d045c6f0d2e86411b47e1d6f0214b7b2ffecd'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @(
        @{ Id = '10-001-exchange-partner-application_HAM-EX-01'
            Hours = $null }
        @{ Id = '20-004-exchange-restart_SINGAPORE-EX-02'
            Hours = $null }
    )
    Serves = @()
    Undoes = ''
    Voids = @()
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-AutodiscoverVirtualDirectory', 'Get-ExchangeServer',
        'Get-WebServicesVirtualDirectory')
    Members = @()
    Rights = 'Ask for View-Only Organization Management.'
    Next = '50-005-skype-verification_HAM-FE-01.ps1 on HAM-FE-01'
    Help = 'Exchange team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup'
    $found = [string] (Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
            ForEach-Object -Process {
            '{0}.{1}.{2}' -f $_.MsiProductMajor, $_.MsiProductMinor, $_.MsiBuildMajor })
    if ($found -notlike '15.1.*') {
        "The inventory says Exchange Server 2016 (15.1), found is '$found'. Run this on the " +
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
        $here = 'singapore-exchange-02.contoso.com'
        Connect-ExchangeServer -ServerFqdn $here -ClientApplication 'ManagementShell'
    }
}

$Runbook.Probe = {
    Get-ExchangeServer -Identity 'SINGAPORE-EX-02' -ErrorAction Stop
}

$Runbook.Discard = {
    # IIS hosts the session: after its restart the commands would only seem to be there.
    foreach ($session in Get-PSSession | Where-Object -FilterScript {
            $_.ConfigurationName -eq 'Microsoft.Exchange' }) {
        Remove-PSSession -Session $session
    }
}

# =====================================================================================
# Check 1 of 2 - OAuth is on for web services and Autodiscover
#
# Why      With it off this server answers 401 to every token.
# Passed   It is on for both virtual directories.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'oauth-authentication'
    Title = 'OAuth is on for web services and Autodiscover'
    Check = {
        $problems = @()
        $name = 'SINGAPORE-EX-02'
        $at = @{ Server = $name; ADPropertiesOnly = $true; ErrorAction = 'Stop' }
        $found = [ordered] @{
            'Set-WebServicesVirtualDirectory' = @(Get-WebServicesVirtualDirectory @at)
            'Set-AutodiscoverVirtualDirectory' = @(Get-AutodiscoverVirtualDirectory @at)
        }
        foreach ($set in @($found.Keys)) {
            if (@($found[$set]).Count -eq 0) {
                $problems += "$name has no such virtual directory to set: $set. Repair it first."
            }
            foreach ($one in $found[$set]) {
                if ([string] $one.OAuthAuthentication -ne 'True') {
                    $problems += "OAuth is off for $($one.Identity). Turn it on, restart IIS " +
                    "after it: $set -Identity '$($one.Identity)' -OAuthAuthentication `$true"
                }
            }
        }
        @{ Saw = "The virtual directories of $name"; Problems = $problems }
    }
}

# =====================================================================================
# Check 2 of 2 - The web services name Skype for Business as a trusted issuer
#
# Why      This is what the running server does, whatever the directory says.
# Passed   The challenge names Skype's identifier and realm.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'trusted-issuer'
    Title = 'The web services name Skype for Business as a trusted issuer'
    Check = {
        $problems = @()
        $issuer = '00000004-0000-0ff1-ce00-000000000000@' + 'contoso.com'
        # By its own name, past the load balancer, if its certificate has that name.
        $own = 'https://' + 'singapore-exchange-02.contoso.com' +
        '/autodiscover/autodiscover.svc'
        $answer = Get-WebAnswer -Url $own
        if ($answer.Problem -like 'TrustFailure*') {
            $answer = Get-WebAnswer -Url 'https://autodiscover.contoso.com/autodiscover/autodiscover.svc'
        }
        if ("$($answer.Headers['www-authenticate'])" -notmatch 'Bearer') {
            # Some builds name their issuers only to who comes with a token, good or not.
            $answer = Get-WebAnswer -Url $answer.Url -Token 'none'
        }
        $challenge = "$($answer.Headers['www-authenticate'])"
        if ($answer.Status -ne 401) {
            $problems += "$($answer.Url) does not answer 401 but $($answer.Status) " +
            "$($answer.Problem): look at its name, certificate and application pool."
        } elseif ($challenge -notmatch 'Bearer') {
            $problems += "$($answer.Url) offers no Bearer. The check oauth-authentication names " +
            'the command for it; then restart IIS on this server.'
        } elseif ($challenge -notmatch [regex]::Escape($issuer)) {
            $problems += "$($answer.Url) does not trust $issuer. Restart IIS on this server; if " +
            'that does not help, the verification of the organization says why.'
        }
        @{ Saw = "$($answer.Url) answers $($answer.Status): $challenge"; Problems = $problems }
    }
}

# =====================================================================================
# Engine, part web - the same text in every runbook that asks a web server
# =====================================================================================

function Get-WebAnswer ([string] $Url, [string] $Token) {
    # The only web access. It never throws: Status is 0 when nobody answered, and Problem says
    # why. Certificates are judged by Windows. Join the texts of a header before you search
    # them: .NET Framework divides some headers at their commas.
    $found = @{
        Url = $Url; Status = 0; Problem = ''; Headers = @{}; Body = ''; Date = $null; Proxy = ''
    }
    $response = $null
    $ProgressPreference = 'SilentlyContinue'
    try {
        # Zero is the choice of Windows itself: adding TLS 1.2 (3072) would take others away.
        $allow = [System.Net.ServicePointManager]::SecurityProtocol
        if ([int] $allow) { [System.Net.ServicePointManager]::SecurityProtocol = $allow -bor 3072 }
        $proxy = [System.Net.WebRequest]::DefaultWebProxy
        if ($proxy -and -not $proxy.IsBypassed([uri] $Url)) {
            $found.Proxy = [string] $proxy.GetProxy([uri] $Url)
        }
        $ask = @{ Uri = $Url; UseBasicParsing = $true; TimeoutSec = 30; ErrorAction = 'Stop' }
        if ($Token) { $ask.Headers = @{ Authorization = "Bearer $Token" } }
        $answer = Invoke-WebRequest @ask
        $response = $answer.BaseResponse
        $found.Body = $answer.Content
        if ($found.Body -is [byte[]]) { $found.Body = $Runbook.Utf8.GetString($found.Body) }
    } catch {
        # A refusal such as 401 is an answer as well; its body stands in the details.
        $found.Body = [string] $_.ErrorDetails
        $response = Get-Field -Object $_.Exception -Name 'Response'
        $kind = [string] (Get-Field -Object $_.Exception -Name 'Status')
        if (-not $kind) { $kind = $_.Exception.GetType().Name }
        $found.Problem = "${kind}: $($_.Exception.GetBaseException().Message)"
    }
    if ($response) {
        $found.Problem = ''
        $found.Status = [int] $response.StatusCode
        foreach ($name in $response.Headers.AllKeys) {
            $found.Headers[$name.ToLowerInvariant()] = [string[]] $response.Headers.GetValues($name)
        }
        $at = [string] $response.Headers['Date'] -as [datetime]
        if ($at) { $found.Date = $at.ToUniversalTime() }
    }
    $found
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
