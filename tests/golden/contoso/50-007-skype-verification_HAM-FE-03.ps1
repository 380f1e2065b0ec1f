# =====================================================================================
# Runbook 50-007 - Verify that Skype for Business reaches Exchange, from HAM-FE-03
#
# Change   CHG0047110
# Run on   hamburg-front-end-03.contoso.com   (Skype for Business Server 2019, Front
#          End)
# Rights   RTCUniversalUserAdmins and local administrator
# Needs    receipt of 30-001
# Effect   One item is written to Conversation History of sip:sfb.check@contoso.com, and
#          deleted again.
#
# Checks   1   The copy of HAM-FE-03 shows what the runbooks before left in the store
#          2   The storage service reaches the mailbox of sip:sfb.check@contoso.com
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
    Id = '50-007-skype-verification_HAM-FE-03'
    Change = 'CHG0047110'
    Host = 'HAM-FE-03'
    Domain = 'corp.contoso.net'
    ContentHash = 'ac3ab9c1c05bd888dbb6e2d344edb634859c6c6e7c41ea3de0c52a1251942008'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @(
        @{ Id = '30-001-skype-partner-application_HAM-FE-01'
            Hours = $null }
    )
    Serves = @('30-001-skype-partner-application_HAM-FE-01')
    Undoes = ''
    Voids = @()
    Witness = $false
    Commands = @(
        'Debug-CsStorageServiceFailures', 'Get-CsCertificate', 'Get-CsManagementConnection',
        'Get-CsOAuthConfiguration', 'Get-CsPartnerApplication', 'Test-CsExStorageConnectivity')
    Members = @('S-1-5-21-2127521184-1604012920-1887927527-74211')
    Rights = 'Ask for RTCUniversalUserAdmins, then sign out and in again.'
    Next = '50-008-skype-verification_SIN-SFB-01.ps1 on SIN-SFB-01'
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
# Check 1 of 2 - The copy of HAM-FE-03 shows what the runbooks before left in the store
#
# Why      Each Front End works from its own copy, which may lag behind the others.
# Passed   It shows Autodiscover URL and partner application as they were left.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'local-copy'
    Title = 'The copy of HAM-FE-03 shows what the runbooks before left in the store'
    TimeoutSeconds = 600
    Otherwise = 'Run Invoke-CsManagementStoreReplication -ReplicaFqdn hamburg-front-end-03.contoso.com, then run this again; if that does not help, Restart-Service -Name REPLICA on HAM-FE-03.'
    Wanted = [ordered] @{
        localCopy = 'autodiscover-url', 'partner-application'
    }
    Read = {
        param ($source, $past)
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
        [ordered] @{ localCopy = $shown }
    }
}

# =====================================================================================
# Check 2 of 2 - The storage service reaches the mailbox of sip:sfb.check@contoso.com
#
# Why      Only this proves the trust in the direction that users need.
# Passed   The test writes an item, deletes it, and says that it passed.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'mailbox'
    Title = 'The storage service reaches the mailbox of sip:sfb.check@contoso.com'
    Check = {
        $problems = @()
        $next = 'Go by the first of the list below that fails, then run this again.'
        $test = @{ SipUri = 'sip:sfb.check@contoso.com'
            DeleteItem = $true; ErrorAction = 'Stop' }
        try {
            $said = (@(Test-CsExStorageConnectivity @test) | Out-String).Trim()
            if ($said -notmatch 'passed') {
                $problems += "The test said '$said' and not that it passed. $next"
            }
        } catch {
            $said = "$($_.Exception.GetType().Name): $($_.Exception.Message)"
            if ($said -match '^(UnauthorizedAccess|SecurityAccessDenied)') {
                $next = 'This sign-in is not in RTC Local User Administrators: sign out and in.'
            }
            $problems += "The test failed: $said $next"
        }
        @{ Saw = "Test-CsExStorageConnectivity: $said"; Problems = $problems }
    }
    Diagnosis = @(
        @{
            Id = 'trust'
            Text = 'Exchange trusts the tokens of this realm, on the servers that are asked'
            Check = {
                $now = (Get-Date).ToUniversalTime()
                $issuer = '00000004-0000-0ff1-ce00-000000000000@' +
                'contoso.com'
                $saw = @()
                $problems = @()
                $names = 'autodiscover.contoso.com ham-ex-01.contoso.com ham-ex-02.contoso.com singapore-exchange-01.contoso.com singapore-exchange-02.contoso.com'
                foreach ($name in $names.Split(' ')) {
                    foreach ($path in '/autodiscover/autodiscover.svc', '/ews/exchange.asmx') {
                        # Some builds name their issuers only to who comes with a token.
                        $one = Get-WebAnswer -Url "https://$name$path" -Token 'none'
                        $offer = "$($one.Headers['www-authenticate'])"
                        $is = "$name$path answers $($one.Status)"
                        $saw += "$is $($one.Problem) $offer $($one.Headers['x-ms-diagnostics'])"
                        if ($one.Status -eq 404) {
                            $problems += "$is, so the path is wrong. Correct exchange.autodiscover."
                        } elseif ($one.Status -eq 401 -and $offer -notmatch 'Bearer') {
                            $problems += "$is without Bearer. For that server run in Exchange " +
                            'Set-AutodiscoverVirtualDirectory and Set-WebServicesVirtualDirectory ' +
                            'with -OAuthAuthentication $true'
                        } elseif ($one.Status -eq 401 -and -not $offer.Contains($issuer)) {
                            $problems += "$is and does not know $issuer. If no server does, run " +
                            'band 10 again; else restart IIS there, or wait 15 minutes.'
                        } elseif ($one.Status -ne 401 -and $name -eq $names.Split(' ')[0]) {
                            $problems += "$is $($one.Problem). Look at name, firewall and proxy."
                        }
                        if ($one.Date -and
                            [System.Math]::Abs(($one.Date - $now).TotalSeconds) -ge 300) {
                            $problems += "$is by a clock 5 minutes off. Run: w32tm.exe /resync"
                        }
                    }
                }
                @{ Saw = $saw; Problems = $problems }
            }
        }
        @{
            Id = 'signing-key'
            Text = 'The key is published that this server signs with'
            Check = {
                $type = 'System.Security.Cryptography.X509Certificates.X509Certificate2'
                $answer = Get-WebAnswer -Url 'https://ham-pool-web.contoso.com/metadata/json/1'
                $keys = @(foreach ($key in (ConvertFrom-Json -InputObject $answer.Body).keys) {
                        $raw = [System.Convert]::FromBase64String($key.keyvalue.value)
                        (New-Object -TypeName $type -ArgumentList (, $raw)).Thumbprint
                    })
                $own = Get-CsCertificate -Type 'OAuthTokenIssuer' -ErrorAction Stop
                $problems = @()
                if ($keys -notcontains $own.Thumbprint) {
                    $problems += "It signs with $($own.Thumbprint), published is $keys. Run " +
                    'Invoke-CsManagementStoreReplication here, then in Exchange ' +
                    'Set-PartnerApplication -RefreshAuthMetadata'
                }
                @{ Saw = "signs with $($own.Thumbprint), published $keys"; Problems = $problems }
            }
        }
        @{
            Id = 'storage-service'
            Text = 'The storage service names no cause'
            Check = {
                $of = @{ SipUri = 'sfb.check@contoso.com'
                    StartTime = (Get-Date).AddHours(-1) }
                $said = @(Debug-CsStorageServiceFailures @of -ErrorAction Stop) -join ' '
                $said = ($said -replace '\s+', ' ').Trim()
                $causes = [ordered] @{
                    '2000003' = 'the token is for another host: use the names of Exchange itself'
                    '2000004' = 'Exchange accepts the domain by a wildcard alone. Run there: ' +
                    'New-AcceptedDomain -Name <domain> -DomainName <domain>'
                    'Uri=,' = 'no Autodiscover URL is set: run the runbook of band 30 again'
                    '(404)' = 'the Autodiscover URL is wrong: correct exchange.autodiscover'
                    'WebProxy=http' = 'a proxy is in between: put Exchange on its bypass list'
                }
                $problems = @($causes.Keys | Where-Object -FilterScript { $said.Contains($_) } |
                        ForEach-Object -Process { "$_ in its words: $($causes[$_])." })
                if ($said -and $problems.Count -eq 0) {
                    $problems += "It says: $said Give this to the Exchange team."
                }
                @{ Saw = "Debug-CsStorageServiceFailures: $said"; Problems = $problems }
            }
        }
    )
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
