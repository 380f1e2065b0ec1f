# =====================================================================================
# Undo 04-004 - Restart IIS on SINGAPORE-EX-02, so that it forgets the application
#
# Change   CHG0047110
# Run on   singapore-exchange-02.contoso.com   (Exchange Server 2016, Mailbox)
# Rights   View-Only Organization Management and local administrator
# Needs    receipt of 03-001
# Effect   Outlook, Outlook on the web, ActiveSync, EWS, MAPI over HTTP, Autodiscover
#          and the Exchange shell on this server stop for about two minutes. One server
#          at a time.
#
# Steps    1   Every domain controller that SINGAPORE-EX-02 uses shows the same
#              applications
#          2   SINGAPORE-EX-02 is out of the load balancer
#          3   Restart IIS
#          4   SINGAPORE-EX-02 answers
#          5   SINGAPORE-EX-02 is back in the load balancer
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
    Id = '04-004-undo-exchange-restart_SINGAPORE-EX-02'
    Change = 'CHG0047110'
    Host = 'SINGAPORE-EX-02'
    Domain = 'asia.corp.contoso.net'
    ContentHash = '6b9dcc1547973e718498e6b9d31c74cb7996e502329d45e9a7f95fdfda9bf0eb'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @(
        @{ Id = '03-001-undo-exchange-partner-application_HAM-EX-01'
            Hours = $null }
    )
    Serves = @('03-001-undo-exchange-partner-application_HAM-EX-01')
    Undoes = ''
    Voids = @()
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-ExchangeServer', 'Get-PartnerApplication')
    Members = @()
    Rights = 'Ask for View-Only Organization Management.'
    Next = 'undo/05-001-undo-skype-prerequisites_HAM-FE-01.ps1 on HAM-FE-01'
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
# Check 1 of 5 - Every domain controller that SINGAPORE-EX-02 uses shows the same
#          applications
#
# Why      Restarting IIS before that achieves nothing: Exchange would read the old
#          state.
# Passed   Each shows exactly what undo/03-001 left.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'directory'
    Title = 'Every domain controller that SINGAPORE-EX-02 uses shows the same applications'
    TimeoutSeconds = 900
    Otherwise = 'Wait for Active Directory replication, then run this again.'
    Wanted = [ordered] @{
        behind = @()
    }
    Read = {
        param ($source, $past)
        $own = @{ Identity = 'SINGAPORE-EX-02'; Status = $true; ErrorAction = 'Stop' }
        $server = Get-ExchangeServer @own
        $controllers = @(@($server.CurrentDomainControllers) + @($server.CurrentGlobalCatalogs) +
            $server.CurrentConfigDomainController | Where-Object -FilterScript { $_ } |
                Sort-Object -Unique)
        if ($controllers.Count -eq 0) {
            throw 'Exchange names no domain controller. Run Get-ExchangeServer -Status by hand.'
        }
        $earlier = $past['03-001-undo-exchange-partner-application_HAM-EX-01']
        if ($earlier -isnot [hashtable]) {
            return [ordered] @{ behind = 'unknown: no receipt says what to look for' }
        }
        $left = @($earlier.State['partner-application'].application |
                Where-Object -FilterScript { $_ })
        $state = [ordered] @{ behind = @() }
        foreach ($controller in $controllers) {
            $found = @(Get-PartnerApplication -DomainController $controller -ErrorAction Stop |
                    Where-Object -FilterScript {
                    $_.ApplicationIdentifier -eq '00000004-0000-0ff1-ce00-000000000000' -and
                    [string] $_.UseAuthServer -ne 'True' } |
                    ForEach-Object -Process { [string] $_.Name })
            $other = @($found | Where-Object -FilterScript { $left -notcontains $_ }) +
            @($left | Where-Object -FilterScript { $found -notcontains $_ })
            if ($other.Count -gt 0) {
                $state.behind += [string] $controller
            }
        }
        $state
    }
}

# =====================================================================================
# Step 2 of 5 - SINGAPORE-EX-02 is out of the load balancer
#
# Why      Users on this server would be cut off.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'drained'
    Title = 'SINGAPORE-EX-02 is out of the load balancer'
    Ask = 'Is SINGAPORE-EX-02 out of the load balancer, and are its connections drained?'
    Who = 'the network team'
}

# =====================================================================================
# Step 3 of 5 - Restart IIS
#
# Why      Exchange reads its partner applications when IIS starts, else about every 15
#          minutes.
# Effect   Client connections to this server drop and come back within about two
#          minutes.
# Done     Both web services run again.
# Undo     Nothing to undo.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'restart-iis'
    Title = 'Restart IIS'
    Text = '415756d7d75f3ed082eebb20cf88fa27da5abde4b046910293deb126498a5a13'
    Repeats = $true
    EndsShell = $true
    Wanted = [ordered] @{
        WAS = 'Running'
        W3SVC = 'Running'
    }
    Read = {
        $state = [ordered] @{ WAS = ''; W3SVC = '' }
        foreach ($name in 'WAS', 'W3SVC') {
            $filter = "Name = '$name'"
            $service = Get-CimInstance -ClassName 'Win32_Service' -Filter $filter -ErrorAction Stop
            $state[$name] = $service.State
        }
        $state
    }
    Apply = {
        $global:LASTEXITCODE = 0
        & "$env:SystemRoot\System32\iisreset.exe" '/noforce' '/timeout:120'
        $code = $LASTEXITCODE
        # With /noforce the reset can fail and leave services stopped: never leave them so.
        foreach ($name in 'WAS', 'W3SVC') {
            Start-Service -Name $name -ErrorAction Stop
        }
        if ($code -ne 0) {
            throw "iisreset ended with $code. The services run again."
        }
    }
}

# =====================================================================================
# Check 4 of 5 - SINGAPORE-EX-02 answers
#
# Why      Before that the load balancer would send users to a server that refuses them.
# Passed   Its web services answer.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 4
    Id = 'health'
    Title = 'SINGAPORE-EX-02 answers'
    TimeoutSeconds = 300
    Otherwise = 'Look at the application pools of SINGAPORE-EX-02. Keep it out of the load balancer until it answers.'
    Wanted = [ordered] @{
        web = 'answers'
    }
    Read = {
        # By the name of this server, so past the load balancer. A certificate that has only the
        # common names is no matter here: the web server answered.
        $url = 'https://' + 'singapore-exchange-02.contoso.com' +
        '/autodiscover/metadata/json/1'
        $answer = Get-WebAnswer -Url $url
        $web = 'answers'
        if ($answer.Status -eq 0 -and $answer.Problem -notlike 'TrustFailure*') {
            $web = $answer.Problem
        } elseif ($answer.Status -ge 500) {
            $web = "HTTP $($answer.Status)"
        }
        [ordered] @{ web = $web }
    }
}

# =====================================================================================
# Step 5 of 5 - SINGAPORE-EX-02 is back in the load balancer
#
# Why      The next server may be restarted only when this one takes users again.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 5
    Id = 'back'
    Title = 'SINGAPORE-EX-02 is back in the load balancer'
    Ask = 'Is SINGAPORE-EX-02 back in the load balancer, and does it take connections?'
    Who = 'the network team'
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
