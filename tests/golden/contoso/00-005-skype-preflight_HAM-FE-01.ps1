# =====================================================================================
# Runbook 00-005 - HAM-FE-01 is ready for the change
#
# Change   CHG0047110
# Run on   ham-fe-01.contoso.com   (Skype for Business Server 2019, Front End)
# Rights   RTCUniversalServerAdmins, RTCUniversalUserAdmins and local administrator
# Needs    nothing before it
# Effect   None: it only reads.
#
# Checks   1   Windows Identity Foundation and an up-to-date copy are present
#          2   The pool has the Front Ends of the inventory
#          3   HAM-FE-01 can download the metadata of Exchange
#          4   Autodiscover of Exchange answers directly, with a clock that agrees
#          5   No other application stands for Exchange
#          6   The test user sip:sfb.check@contoso.com is enabled for Skype for Business
#          7   The certificate that signs the tokens is assigned, present and published
#          8   Realm, service name and Autodiscover URL are those of the inventory
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
    Id = '00-005-skype-preflight_HAM-FE-01'
    Change = 'CHG0047110'
    Host = 'HAM-FE-01'
    Domain = 'corp.contoso.net'
    ContentHash = '0b53432090db116d01c57b449c1db15e07dd3a1be2568847c0039a95226395c9'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @()
    Serves = @()
    Undoes = ''
    Voids = @()
    Witness = $false
    Commands = @(
        'Debug-CsStorageServiceFailures', 'Debug-CsUnifiedContactStore', 'Export-CsConfiguration',
        'Get-CsCertificate', 'Get-CsManagementConnection', 'Get-CsManagementStoreReplicationStatus',
        'Get-CsOAuthConfiguration', 'Get-CsPartnerApplication', 'Get-CsPool', 'Get-CsUser',
        'Invoke-CsManagementStoreReplication', 'New-CsPartnerApplication', 'Remove-CsCertificate',
        'Remove-CsPartnerApplication', 'Set-CsCertificate', 'Set-CsOAuthConfiguration',
        'Test-CsExStorageConnectivity')
    Members = @('S-1-5-21-2127521184-1604012920-1887927527-74210',
                'S-1-5-21-2127521184-1604012920-1887927527-74211')
    Rights = 'Ask for RTCUniversalServerAdmins and RTCUniversalUserAdmins, then sign out and in again.'
    Next = '00-006-skype-preflight_HAM-FE-02.ps1 on HAM-FE-02'
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
# Check 1 of 8 - Windows Identity Foundation and an up-to-date copy are present
#
# Why      Tokens are made by Windows Identity Foundation, from this server's own copy.
# Passed   The feature is installed and the copy of the configuration is up to date.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'server'
    Title = 'Windows Identity Foundation and an up-to-date copy are present'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $here = 'ham-fe-01.contoso.com'
        $feature = @(Get-WindowsFeature -Name 'Windows-Identity-Foundation' -ErrorAction Stop |
                Where-Object -FilterScript { $_.Installed })
        if ($feature.Count -ne 1) {
            $problems += 'Windows Identity Foundation 3.5 is missing. Run: Install-WindowsFeature ' +
            '-Name Windows-Identity-Foundation -Source <sources\sxs of the Windows media>'
        }
        $replica = @(Get-CsManagementStoreReplicationStatus -ReplicaFqdn $here -ErrorAction Stop)
        $current = "$($replica | ForEach-Object -Process { $_.UpToDate })"
        if ($current -ne 'True') {
            $problems += "The copy of the configuration on $here is behind. Run: " +
            "Invoke-CsManagementStoreReplication -ReplicaFqdn $here; if it is still behind after " +
            'ten minutes, Restart-Service -Name REPLICA on it.'
        }
        @{
            Saw = "Windows Identity Foundation: $($feature.Count), copy up to date: '$current'"
            Problems = $problems
        }
    }
}

# =====================================================================================
# Check 2 of 8 - The pool has the Front Ends of the inventory
#
# Why      A Front End that the inventory leaves out would never be checked.
# Passed   The topology names exactly the same servers.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'pool'
    Title = 'The pool has the Front Ends of the inventory'
    Otherwise = 'Correct skype.pools in the inventory and build again.'
    Wanted = [ordered] @{
        members = @(
            'ham-fe-01.contoso.com'
            'ham-fe-02.contoso.com'
            'hamburg-front-end-03.contoso.com'
        )
    }
    Read = {
        $pool = Get-CsPool -Identity 'ham-pool.contoso.com' -ErrorAction Stop
        [ordered] @{ members = @($pool.Computers) }
    }
}

# =====================================================================================
# Check 3 of 8 - HAM-FE-01 can download the metadata of Exchange
#
# Why      New-CsPartnerApplication downloads it and fails without it.
# Passed   It is the document of Exchange, over trusted HTTPS, with a readable
#          certificate.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'exchange-metadata'
    Title = 'HAM-FE-01 can download the metadata of Exchange'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $url = 'https://mail.contoso.com/autodiscover/metadata/json/1'
        $answer = Get-WebAnswer -Url $url
        $saw = "$url answered $($answer.Status) $($answer.Problem)"
        try {
            if ($answer.Status -ne 200) {
                throw "it answers $($answer.Status) $($answer.Problem)"
            }
            $published = @(foreach ($key in @((ConvertFrom-Json -InputObject $answer.Body).keys)) {
                    $raw = [System.Convert]::FromBase64String($key.keyvalue.value)
                    ([System.Security.Cryptography.X509Certificates.X509Certificate2] $raw).Thumbprint
                })
            $saw += ", signing with $published"
            if ($answer.Body -notmatch '00000002-0000-0ff1-ce00-000000000000') {
                throw 'it is not the document of Exchange'
            }
            if ($published.Count -eq 0) {
                throw 'it publishes no certificate'
            }
        } catch {
            $next = 'Look at the URL, name resolution, firewall and proxy, then run this again.'
            if ($answer.Status -eq 500) {
                $next = 'The certificate of Get-AuthConfig is missing or expired on an Exchange ' +
                'server: replace it with Set-AuthConfig -NewCertificateThumbprint, then ' +
                '-PublishCertificate and -ClearPreviousCertificate, and restart IIS.'
            } elseif ($answer.Problem -match 'TrustFailure') {
                $next = 'Import the root certificate of its issuer into LocalMachine\Root here.'
            }
            $problems += "$url does not work: $($_.Exception.Message). $next"
        }
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 4 of 8 - Autodiscover of Exchange answers directly, with a clock that agrees
#
# Why      The storage service finds mailboxes through it; tokens allow clocks five
#          minutes.
# Passed   It asks for credentials, no proxy is in between, the clocks agree.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 4
    Id = 'autodiscover'
    Title = 'Autodiscover of Exchange answers directly, with a clock that agrees'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $url = 'https://autodiscover.contoso.com/autodiscover/autodiscover.svc'
        $answer = Get-WebAnswer -Url $url
        $saw = "$url answered $($answer.Status) $($answer.Problem)"
        # It asks for credentials, or describes itself; anything else is not Autodiscover.
        if (200, 401 -notcontains $answer.Status) {
            $next = 'look at name resolution, firewall and the load balancer'
            if ($answer.Status -eq 404) {
                $next = 'the path is wrong, correct exchange.autodiscover in the inventory'
            } elseif ($answer.Status -eq 503) {
                $next = 'an application pool is down, as with an expired certificate of ' +
                'Get-AuthConfig: the Exchange team looks at it'
            }
            $problems += "${saw}: $next, then run this again."
        }
        if ($answer.Status -gt 0 -and -not $answer.Date) {
            $problems += "$url sends no Date. Compare the clocks by hand on both servers: " +
            'w32tm.exe /query /status'
        } elseif ($answer.Date) {
            $skew = [int] ($answer.Date - (Get-Date).ToUniversalTime()).TotalSeconds
            $saw += ", clock $skew s apart"
            if ([System.Math]::Abs($skew) -ge 300) {
                $problems += "The clocks are $skew s apart, tokens allow 300. Run on the server " +
                'that is wrong: w32tm.exe /resync'
            }
        }
        # Byte 8 of this value says whether WinHTTP has a proxy; its name and bypass list follow.
        $key = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
        $set = Get-ItemProperty -LiteralPath $key -ErrorAction Stop |
            Select-Object -ExpandProperty 'WinHttpSettings' -ErrorAction SilentlyContinue
        $proxy = $answer.Proxy
        if (-not $proxy -and @($set).Count -gt 12 -and $set[8] -band 2) {
            $proxy = [System.Text.Encoding]::ASCII.GetString($set) -replace '[^!-~]+', ' '
        }
        $domain = 'contoso.com'
        if ($answer.Proxy -or ($proxy -and -not $proxy.Contains($domain))) {
            $problems += "The proxy '$proxy' stands before Exchange. Put *.$domain on its bypass " +
            'list, in the Internet Options and with: netsh.exe winhttp set proxy ' +
            'proxy-server=<proxy> bypass-list=<list>'
        }
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 5 of 8 - No other application stands for Exchange
#
# Why      It would be adopted by accident, or there would be two for one Exchange.
# Passed   There is none, or the one that this change makes.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 5
    Id = 'partner-applications'
    Title = 'No other application stands for Exchange'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $all = @(Get-CsPartnerApplication -ErrorAction Stop)
        # An application that uses the authorization server is the online trust, not ours.
        $found = @($all | Where-Object -FilterScript {
                $_.ApplicationIdentifier -eq '00000002-0000-0ff1-ce00-000000000000' -and
                [string] $_.AuthToken -notmatch 'UseOAuthServer$' })
        $saw = @("$($all.Count) partner applications")
        $ours = 'Exchange, ' + 'https://mail.contoso.com/autodiscover/metadata/json/1' + ', Full, True'
        foreach ($one in $all) {
            $is = "$($one.Identity), $($one.AuthToken -replace '^Value='), " +
            "$($one.ApplicationTrustLevel), $($one.Enabled)"
            $saw += "$is ($($one.ApplicationIdentifier))"
            if ($found -contains $one -and ($found.Count -gt 1 -or $is -ne $ours)) {
                $problems += "$is stands for Exchange already, made another way. The Skype for " +
                'Business team decides; to free the place, run: Remove-CsPartnerApplication ' +
                "-Identity '$($one.Identity)'"
            }
            if ($found -notcontains $one -and $one.Identity -eq 'Exchange') {
                $problems += "The name 'Exchange' belongs to $($one.ApplicationIdentifier). The " +
                'Skype for Business team decides; to free it, run: ' +
                "Remove-CsPartnerApplication -Identity 'Exchange'"
            }
        }
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 6 of 8 - The test user sip:sfb.check@contoso.com is enabled for Skype for
#          Business
#
# Why      The verification writes into the mailbox of this user and fails with another.
# Passed   The user is enabled for Skype for Business.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 6
    Id = 'test-user'
    Title = 'The test user sip:sfb.check@contoso.com is enabled for Skype for Business'
    Otherwise = 'Give a user with an Exchange mailbox as skype.test_user in the inventory.'
    Wanted = [ordered] @{
        enabled = 'True'
    }
    Read = {
        # A user who is not there is an error of the cmdlet, and so a check that did not pass.
        $user = @(Get-CsUser -Identity 'sip:sfb.check@contoso.com' -ErrorAction Stop)
        [ordered] @{ enabled = @($user | ForEach-Object -Process { $_.Enabled }) }
    }
}

# =====================================================================================
# Check 7 of 8 - The certificate that signs the tokens is assigned, present and
#          published
#
# Why      Exchange downloads it, and refuses tokens that another one signed.
# Passed   One is assigned, is here with its key for 30 days more, and is published.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 7
    Id = 'signing-certificate'
    Title = 'The certificate that signs the tokens is assigned, present and published'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        # A prerequisite runbook assigns this certificate; here only whether it can.
        $saw = '966918EADDDD46574085FDAE13B59397E3633787' + ' was looked for in LocalMachine\My.'
        $problems = @(foreach ($wanted in @('966918EADDDD46574085FDAE13B59397E3633787')) {
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
        })
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 8 of 8 - Realm, service name and Autodiscover URL are those of the inventory
#
# Why      Exchange stores the realm with the application; another one later breaks the
#          trust.
# Passed   Realm and service name agree, the URL is blank or ours, the store has a
#          master.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 8
    Id = 'configuration'
    Title = 'Realm, service name and Autodiscover URL are those of the inventory'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $oauth = Get-CsOAuthConfiguration -Identity 'global' -ErrorAction Stop
        $saw = "realm '$($oauth.Realm)', service '$($oauth.ServiceName)', Autodiscover URL " +
        "'$($oauth.ExchangeAutodiscoverUrl)'"
        $realm = 'contoso.com'
        if ($oauth.Realm -ne $realm) {
            $problems += "The realm is '$($oauth.Realm)', the inventory says '$realm'. Correct " +
            'skype.realm there and build again; or, as it breaks every trust that exists, if the ' +
            'Skype for Business team agrees, run: Set-CsOAuthConfiguration -Identity global ' +
            "-Realm $realm"
        }
        if ($oauth.ServiceName -ne '00000004-0000-0ff1-ce00-000000000000') {
            $problems += "The service name is '$($oauth.ServiceName)'. Run: " +
            'Set-CsOAuthConfiguration -Identity global ' +
            '-ServiceName 00000004-0000-0ff1-ce00-000000000000'
        }
        $url = 'https://autodiscover.contoso.com/autodiscover/autodiscover.svc'
        if ($oauth.ExchangeAutodiscoverUrl -and $oauth.ExchangeAutodiscoverUrl -ne $url) {
            $problems += "The Autodiscover URL is '$($oauth.ExchangeAutodiscoverUrl)' already. " +
            'If nobody needs it, run: Set-CsOAuthConfiguration -Identity global ' +
            '-ExchangeAutodiscoverUrl $null; if it is right, correct exchange.autodiscover in ' +
            'the inventory and build again.'
        }
        $central = @{ CentralManagementStoreStatus = $true; ErrorAction = 'Stop' }
        $store = Get-CsManagementStoreReplicationStatus @central
        $saw += ", Central Management Store on '$($store.ActiveMasterFqdn)'"
        if (-not [string] $store.ActiveMasterFqdn) {
            $problems += 'No active master of the Central Management Store. Run: ' +
            'Get-CsManagementConnection, then Invoke-CsManagementServerFailover.'
        }
        @{ Saw = $saw; Problems = $problems }
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
