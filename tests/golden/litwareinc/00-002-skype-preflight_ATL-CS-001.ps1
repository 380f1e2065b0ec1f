# =====================================================================================
# Runbook 00-002 - ATL-CS-001 is ready for the change
#
# Change   CHG0012345
# Run on   atl-cs-001.litwareinc.com   (Skype for Business Server 2015, Front End)
# Rights   RTCUniversalServerAdmins, RTCUniversalUserAdmins and local administrator
# Needs    nothing before it
# Effect   None: it only reads.
#
# Checks   1   Windows Identity Foundation and an up-to-date copy are present
#          2   The pool has the Front Ends of the inventory
#          3   ATL-CS-001 can download the metadata of Exchange
#          4   Autodiscover of Exchange answers directly, with a clock that agrees
#          5   No other application stands for Exchange
#          6   No contact list has moved to Exchange, and only the global policy lets
#              one move
#          7   The test user sip:kenmyer@litwareinc.com is enabled for Skype for
#              Business
#          8   The certificate that signs the tokens is assigned, present and published
#          9   Realm, service name and Autodiscover URL are those of the inventory
#
# Exit     0 proven, 1 failed, 2 refused, 4 not proven
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
    Id = '00-002-skype-preflight_ATL-CS-001'
    Change = 'CHG0012345'
    Host = 'ATL-CS-001'
    Domain = 'litwareinc.com'
    ContentHash = '5f6471e8833b35ee2e0c34b6fecae3ab093d074200bf62c30773f7c09bcdfe9e'
    Signer = @()
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
        'Get-CsUserServicesPolicy', 'Invoke-CsManagementStoreReplication',
        'New-CsPartnerApplication', 'Remove-CsPartnerApplication', 'Set-CsOAuthConfiguration',
        'Set-CsUserServicesPolicy', 'Test-CsExStorageConnectivity')
    Members = @('RTCUniversalServerAdmins', 'RTCUniversalUserAdmins')
    Rights = 'Ask for RTCUniversalServerAdmins and RTCUniversalUserAdmins, then sign out and in again.'
    Next = '05-001-skype-prerequisites_ATL-CS-001.ps1 on ATL-CS-001'
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

# =====================================================================================
# Check 1 of 9 - Windows Identity Foundation and an up-to-date copy are present
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
        $here = 'atl-cs-001.litwareinc.com'
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
# Check 2 of 9 - The pool has the Front Ends of the inventory
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
            'atl-cs-001.litwareinc.com'
        )
    }
    Read = {
        $pool = Get-CsPool -Identity 'atl-cs-001.litwareinc.com' -ErrorAction Stop
        [ordered] @{ members = @($pool.Computers) }
    }
}

# =====================================================================================
# Check 3 of 9 - ATL-CS-001 can download the metadata of Exchange
#
# Why      New-CsPartnerApplication downloads it and fails without it.
# Passed   It is the document of Exchange, over trusted HTTPS, with a readable
#          certificate.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'exchange-metadata'
    Title = 'ATL-CS-001 can download the metadata of Exchange'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $url = 'https://autodiscover.litwareinc.com/autodiscover/metadata/json/1'
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
# Check 4 of 9 - Autodiscover of Exchange answers directly, with a clock that agrees
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
        $url = 'https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc'
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
        $domain = 'litwareinc.com'
        if ($answer.Proxy -or ($proxy -and -not $proxy.Contains($domain))) {
            $problems += "The proxy '$proxy' stands before Exchange. Put *.$domain on its bypass " +
            'list, in the Internet Options and with: netsh.exe winhttp set proxy ' +
            'proxy-server=<proxy> bypass-list=<list>'
        }
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 5 of 9 - No other application stands for Exchange
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
        $ours = 'Exchange, ' + 'https://autodiscover.litwareinc.com/autodiscover/metadata/json/1' + ', Full, True'
        foreach ($one in $all) {
            $is = "$($one.Identity), $($one.AuthToken -replace '^Value='), " +
            "$($one.ApplicationTrustLevel), $($one.Enabled)"
            $saw += "$is ($($one.ApplicationIdentifier))"
            if ([string] $one.AuthToken -match 'UseOAuthServer$') {
                $problems += "$($one.Identity) is the trust to Exchange Online. Set skype.hybrid " +
                'to true in the inventory, which leaves it alone, and build again.'
            }
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
# Check 6 of 9 - No contact list has moved to Exchange, and only the global policy lets
#          one move
#
# Why      By default the finished trust starts to move them; the inventory says deny.
# Passed   All other policies deny it, and no list has moved.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 6
    Id = 'contact-lists'
    Title = 'No contact list has moved to Exchange, and only the global policy lets one move'
    Otherwise = 'For a policy that allows it run Set-CsUserServicesPolicy -Identity <policy> -UcsAllowed $false. To bring lists back that have moved, run for each user Grant-CsUserServicesPolicy -Identity <user> -PolicyName <a policy that denies it>, then Invoke-CsUcsRollback -Identity <user> -Confirm:$false; if they shall stay, write unified_contact_store: allow and build again. 05-001 sets the global policy.'
    Wanted = [ordered] @{
        allowing = @()
        moved = @()
    }
    Read = {
        # The global policy is set by a prerequisite runbook of this change.
        $policies = @(Get-CsUserServicesPolicy -ErrorAction Stop | Where-Object -FilterScript {
                $_.Identity -ne 'Global' -and [string] $_.UcsAllowed -ne 'False' })
        $moved = @(foreach ($pool in @(
                    'atl-cs-001.litwareinc.com')) {
                $stores = @(Debug-CsUnifiedContactStore -PoolFqdn $pool -ErrorAction Stop)
                if ($stores.Count -eq 0) {
                    throw "Debug-CsUnifiedContactStore says nothing about $pool."
                }
                foreach ($store in $stores) {
                    $count = [int] $store.UcsMigratedCount + [int] $store.UcsMigratingCount
                    if ($count -gt 0) {
                        "$count of $($store.FrontEnd)"
                    }
                }
            })
        [ordered] @{
            allowing = @($policies | ForEach-Object -Process { $_.Identity })
            moved = $moved
        }
    }
}

# =====================================================================================
# Check 7 of 9 - The test user sip:kenmyer@litwareinc.com is enabled for Skype for
#          Business
#
# Why      The verification writes into the mailbox of this user and fails with another.
# Passed   The user is enabled for Skype for Business.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 7
    Id = 'test-user'
    Title = 'The test user sip:kenmyer@litwareinc.com is enabled for Skype for Business'
    Otherwise = 'Give a user with an Exchange mailbox as skype.test_user in the inventory.'
    Wanted = [ordered] @{
        enabled = 'True'
    }
    Read = {
        # A user who is not there is an error of the cmdlet, and so a check that did not pass.
        $user = @(Get-CsUser -Identity 'sip:kenmyer@litwareinc.com' -ErrorAction Stop)
        [ordered] @{ enabled = @($user | ForEach-Object -Process { $_.Enabled }) }
    }
}

# =====================================================================================
# Check 8 of 9 - The certificate that signs the tokens is assigned, present and
#          published
#
# Why      Exchange downloads it, and refuses tokens that another one signed.
# Passed   One is assigned, is here with its key for 30 days more, and is published.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 8
    Id = 'signing-certificate'
    Title = 'The certificate that signs the tokens is assigned, present and published'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $url = 'https://atl-cs-001.litwareinc.com/metadata/json/1'
        $global = @{ Identity = 'global'; Type = 'OAuthTokenIssuer'; ErrorAction = 'Stop' }
        $assigned = @(Get-CsCertificate @global)
        $saw = "$($assigned.Count) assigned"
        if ($assigned.Count -ne 1) {
            $problems += "$saw, one is wanted. Run: Set-CsCertificate -Identity global -Type " +
            'OAuthTokenIssuer -Thumbprint <thumbprint>; or give skype.oauth_certificate in the ' +
            'inventory and build again.'
        }
        $answer = Get-WebAnswer -Url $url
        try {
            if ($answer.Status -ne 200) {
                throw "it answers $($answer.Status) $($answer.Problem)"
            }
            $published = @(foreach ($key in @((ConvertFrom-Json -InputObject $answer.Body).keys)) {
                    $raw = [System.Convert]::FromBase64String($key.keyvalue.value)
                    ([System.Security.Cryptography.X509Certificates.X509Certificate2] $raw).Thumbprint
                })
        } catch {
            $published = @($_.Exception.Message)
        }
        foreach ($one in $assigned) {
            $saw = "$($one.Thumbprint), valid until " +
            $one.NotAfter.ToString('yyyy-MM-dd', $Runbook.Culture)
            $now = Get-Date
            if ($now -lt $one.NotBefore -or $now.AddDays(30) -gt $one.NotAfter) {
                $problems += "$saw; wanted is from now on for 30 days. Request another with " +
                'Request-CsCertificate and give it as skype.oauth_certificate in the inventory.'
            }
            $store = @(Get-ChildItem -LiteralPath 'Cert:\LocalMachine\My' -ErrorAction Stop |
                    Where-Object -FilterScript { $_.Thumbprint -eq $one.Thumbprint })
            if (-not @($store | Where-Object -FilterScript { $_.HasPrivateKey }).Count) {
                $problems += "$saw is not in LocalMachine\My here with its private key. Run: " +
                'Invoke-CsManagementStoreReplication, and look again after ten minutes.'
            }
            if ($published -notcontains $one.Thumbprint) {
                $problems += "$url publishes '$published' instead of $($one.Thumbprint), so " +
                'Exchange would trust another key. Wait for replication, then run on that server: ' +
                'iisreset.exe /noforce'
            }
        }
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 9 of 9 - Realm, service name and Autodiscover URL are those of the inventory
#
# Why      Exchange stores the realm with the application; another one later breaks the
#          trust.
# Passed   Realm and service name agree, the URL is blank or ours, the store has a
#          master.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 9
    Id = 'configuration'
    Title = 'Realm, service name and Autodiscover URL are those of the inventory'
    Otherwise = 'Correct what the sentence names, then run this again.'
    Check = {
        $problems = @()
        $oauth = Get-CsOAuthConfiguration -Identity 'global' -ErrorAction Stop
        $saw = "realm '$($oauth.Realm)', service '$($oauth.ServiceName)', Autodiscover URL " +
        "'$($oauth.ExchangeAutodiscoverUrl)'"
        $realm = 'litwareinc.com'
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
        $url = 'https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc'
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

# Here stands engine.ps1, the same in every script.
