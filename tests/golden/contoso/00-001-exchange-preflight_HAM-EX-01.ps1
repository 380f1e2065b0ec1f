# =====================================================================================
# Runbook 00-001 - HAM-EX-01 is ready for the change
#
# Change   CHG0047110
# Run on   ham-ex-01.contoso.com   (Exchange Server 2019, Mailbox)
# Rights   Organization Management and local administrator
# Needs    nothing before it
# Effect   None: it only reads.
#
# Checks   1   HAM-EX-01 has the roles of the inventory and OAuth is on
#          2   The certificate that Exchange signs tokens with is present and valid
#          3   The names of both services resolve
#          4   HAM-EX-01 can download both metadata documents
#          5   Microsoft's script is present as Microsoft signed it
#          6   Realm and test mailbox have accepted domains of their own
#          7   No other application has Skype's identifier
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
    Id = '00-001-exchange-preflight_HAM-EX-01'
    Change = 'CHG0047110'
    Host = 'HAM-EX-01'
    Domain = 'corp.contoso.net'
    ContentHash = 'f6bdbf86dcbbaf612e135a0f1531ed7d74000316a93b86b3a304544e479040f6'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = $null
    Needs = @()
    Serves = @()
    Undoes = ''
    Voids = @()
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-AcceptedDomain', 'Get-AuthConfig',
        'Get-AutodiscoverVirtualDirectory', 'Get-ClientAccessService', 'Get-ExchangeServer',
        'Get-MailUser', 'Get-ManagementRoleAssignment', 'Get-PartnerApplication', 'Get-User',
        'Get-WebServicesVirtualDirectory', 'New-MailUser', 'New-ManagementRoleAssignment',
        'New-PartnerApplication', 'Remove-MailUser', 'Remove-ManagementRoleAssignment',
        'Remove-PartnerApplication', 'Set-ClientAccessService', 'Set-MailUser')
    Members = @()
    Rights = 'Ask for Organization Management; with split permissions also for the role Mail Recipient Creation.'
    Next = '00-002-exchange-preflight_HAM-EX-02.ps1 on HAM-EX-02'
    Help = 'Exchange team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup'
    $found = [string] (Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
            ForEach-Object -Process {
            '{0}.{1}.{2}' -f $_.MsiProductMajor, $_.MsiProductMinor, $_.MsiBuildMajor })
    if ($found -notlike '15.2.*' -or [int] $found.Split('.')[2] -ge 2562) {
        "The inventory says Exchange Server 2019 (15.2), found is '$found'. Run this on the " +
        'right server, or correct the version in the inventory and build again.'
    }
    foreach ($scope in 'MachinePolicy', 'UserPolicy') {
        if ([string] (Get-ExecutionPolicy -Scope $scope) -eq 'AllSigned') {
            "$scope enforces AllSigned: the Exchange shell cannot load, its temporary module is " +
            'not signed. Ask who manages that policy for RemoteSigned on this server.'
        }
    }
    $file = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\RemoteExchange.ps1'
    Get-SignerProblem -Path $file -Signer 'O=Microsoft Corporation'
}

$Runbook.Shell = {
    # In a management shell the commands are there already; the probe tells whether they answer.
    if (-not (Get-Command -Name 'Get-PartnerApplication' -ErrorAction SilentlyContinue)) {
        $file = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\RemoteExchange.ps1'
        Import-Module -Name $file -Force
        $here = 'ham-ex-01.contoso.com'
        Connect-ExchangeServer -ServerFqdn $here -ClientApplication 'ManagementShell'
    }
}

$Runbook.Probe = {
    Get-ExchangeServer -Identity 'HAM-EX-01' -ErrorAction Stop
}

$Runbook.Discard = {
    # IIS hosts the session: after its restart the commands would only seem to be there.
    foreach ($session in Get-PSSession | Where-Object -FilterScript {
            $_.ConfigurationName -eq 'Microsoft.Exchange' }) {
        Remove-PSSession -Session $session
    }
}

# =====================================================================================
# Check 1 of 7 - HAM-EX-01 has the roles of the inventory and OAuth is on
#
# Why      With OAuth off, or another role, the trust cannot work on this server.
# Passed   The roles are right, OAuth is on, the Autodiscover address is good.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'configuration'
    Title = 'HAM-EX-01 has the roles of the inventory and OAuth is on'
    Check = {
        $problems = @()
        $name = 'HAM-EX-01'
        $server = Get-ExchangeServer -Identity $name -ErrorAction Stop
        $roles = @([string] $server.ServerRole -split ', *')
        $wanted = @('Mailbox')
        $missing = @($wanted | Where-Object -FilterScript { $roles -notcontains $_ })
        if ($missing.Count -gt 0) {
            $problems += "$name has the roles $roles, not $missing. Correct its roles in the " +
            'inventory and build again.'
        }
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
        $uri = 'set by this change'
        @{ Saw = "Roles $roles, Autodiscover address $uri"; Problems = $problems }
    }
}

# =====================================================================================
# Check 2 of 7 - The certificate that Exchange signs tokens with is present and valid
#
# Why      Without it the metadata answer 500; then web services and this shell fail.
# Passed   It is in the store of this server, with its key, for more than 60 days.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'auth-certificate'
    Title = 'The certificate that Exchange signs tokens with is present and valid'
    Check = {
        # From the store of this server: through the Exchange shell a certificate arrives as raw
        # data only, and never says whether its private key is here.
        $problems = @()
        $config = Get-AuthConfig -ErrorAction Stop
        $thumbprint = [string] $config.CurrentCertificateThumbprint
        $found = @(Get-ChildItem -LiteralPath 'Cert:\LocalMachine\My' -ErrorAction Stop |
                Where-Object -FilterScript { $thumbprint -and $_.Thumbprint -eq $thumbprint })
        $renew = 'Renew it as a change of its own (New-ExchangeCertificate, then Set-AuthConfig ' +
        '-NewCertificateThumbprint, -PublishCertificate), and run this again.'
        $end = 'no end'
        if (-not $thumbprint) {
            $problems += "Exchange has no Auth certificate. $renew"
        } elseif ($found.Count -eq 0) {
            $problems += "The Auth certificate $thumbprint is not on this server. Export it on " +
            'another one with its private key and import it: Import-ExchangeCertificate'
        } else {
            $days = [int] $found[0].NotAfter.Subtract((Get-Date)).TotalDays
            $end = $found[0].NotAfter.ToString('yyyy-MM-dd', $Runbook.Culture)
            if (-not $found[0].HasPrivateKey) {
                $problems += "The Auth certificate $thumbprint has no private key here. Import " +
                'it again with its key: Import-ExchangeCertificate -PrivateKeyExportable $true'
            }
            if ($days -le 0) {
                $problems += "The Auth certificate $thumbprint expired on $end. $renew"
            } elseif ($days -le 60 -and -not $config.NextCertificateThumbprint) {
                $problems += "The Auth certificate $thumbprint expires in $days days. $renew"
            }
        }
        if ([string] $config.ServiceName -ne '00000002-0000-0ff1-ce00-000000000000') {
            $problems += "Exchange calls itself '$($config.ServiceName)', which Skype does not " +
            "know. Put it back: Set-AuthConfig -ServiceName '00000002-0000-0ff1-ce00-000000000000'"
        }
        @{ Saw = "Auth certificate $thumbprint until $end"; Problems = $problems }
    }
}

# =====================================================================================
# Check 3 of 7 - The names of both services resolve
#
# Why      Each side finds the other by name.
# Passed   Every name has an address.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'names'
    Title = 'The names of both services resolve'
    Otherwise = 'Ask who runs DNS for these names, or correct them in the inventory.'
    Wanted = [ordered] @{
        unresolved = @()
    }
    Read = {
        $state = [ordered] @{ unresolved = @() }
        $names = @(
            'autodiscover.contoso.com', 'mail.contoso.com', 'ham-pool-web.contoso.com')
        foreach ($name in @($names | Select-Object -Unique)) {
            try {
                $null = Resolve-DnsName -Name $name -ErrorAction Stop
            } catch {
                $state.unresolved += $name
            }
        }
        $state
    }
}

# =====================================================================================
# Check 4 of 7 - HAM-EX-01 can download both metadata documents
#
# Why      Microsoft's script reads Skype's, Skype for Business reads Exchange's.
# Passed   Each is trusted and complete, came without a proxy, and the clocks agree.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 4
    Id = 'metadata'
    Title = 'HAM-EX-01 can download both metadata documents'
    Check = {
        $problems = @()
        $saw = @()
        $exchange = '00000002-0000-0ff1-ce00-000000000000'
        $skype = '00000004-0000-0ff1-ce00-000000000000'
        $realm = 'contoso.com'
        $documents = [ordered] @{
            'https://mail.contoso.com/autodiscover/metadata/json/1' = $exchange
            'https://ham-pool-web.contoso.com/metadata/json/1' = $skype
        }
        foreach ($url in @($documents.Keys)) {
            $answer = Get-WebAnswer -Url $url
            $said = "$url answers $($answer.Status) $($answer.Problem)".Trim()
            $saw += $said
            $keys = 0
            try {
                foreach ($key in @((ConvertFrom-Json -InputObject $answer.Body).keys)) {
                    $bytes = [System.Convert]::FromBase64String($key.keyvalue.value)
                    $type = 'System.Security.Cryptography.X509Certificates.X509Certificate2'
                    $null = New-Object -TypeName $type -ArgumentList (, $bytes)
                    $keys += 1
                }
            } catch {
                $saw += "No certificate: $($_.Exception.Message)"
            }
            if ($answer.Problem -like 'TrustFailure*') {
                $problems += "$said. This server does not trust its certificate: import the root " +
                'of its chain here, or give the web site a certificate with that name. Do not ' +
                'use TrustAnySSLCertificate.'
            } elseif ($answer.Status -ge 500) {
                $problems += "$said. Its signing certificate is missing or expired: see " +
                'Get-AuthConfig (Exchange) or Get-CsCertificate (Skype).'
            } elseif ($answer.Status -ne 200) {
                $problems += "$said. Check the name, DNS, the firewall and the web site, from " +
                'this server.'
            } elseif ($keys -eq 0 -or -not $answer.Body.Contains($documents[$url])) {
                $problems += "$url is no metadata document of $($documents[$url]) with a " +
                'certificate. Something else answers there: correct the address in the inventory.'
            } elseif ($documents[$url] -eq $skype -and
                $answer.Body -match '"realm"\s*:\s*"([^"]*)"' -and $Matches[1] -ne $realm) {
                $problems += "$url has the realm '$($Matches[1])', the inventory '$realm'. The " +
                'Skype team says which is right before Exchange learns it: correct the other one.'
            }
            if ($answer.Proxy) {
                $problems += "$url is reached through the proxy $($answer.Proxy). Servers talk " +
                'directly: put the host on the bypass list (netsh.exe winhttp show proxy).'
            }
            $skew = 'an unknown number of'
            if ($answer.Date) {
                $skew = [int] (Get-Date).ToUniversalTime().Subtract($answer.Date).TotalSeconds
            }
            if ($answer.Status -gt 0 -and
                ($skew -isnot [int] -or [System.Math]::Abs($skew) -ge 300)) {
                $problems += "The clock of $url is $skew seconds behind this one. Beyond 300 " +
                'tokens are refused. Set the clocks right: w32tm.exe /resync'
            }
        }
        @{ Saw = $saw; Problems = $problems }
    }
}

# =====================================================================================
# Check 5 of 7 - Microsoft's script is present as Microsoft signed it
#
# Why      It makes the application; any other text could make anything.
# Passed   Its signature is valid and Microsoft's.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 5
    Id = 'vendor-script'
    Title = 'Microsoft''s script is present as Microsoft signed it'
    Check = {
        $name = 'Configure-EnterprisePartnerApplication'
        $script = Join-Path -Path $env:ExchangeInstallPath -ChildPath "Scripts\$name.ps1"
        @{
            Saw = $script
            Problems = @(Get-SignerProblem -Path $script -Signer 'O=Microsoft Corporation')
        }
    }
}

# =====================================================================================
# Check 6 of 7 - Realm and test mailbox have accepted domains of their own
#
# Why      Exchange takes a token only for a domain that it knows by its full name.
# Passed   Both are accepted domains, and Microsoft's script can make its account.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 6
    Id = 'accepted-domains'
    Title = 'Realm and test mailbox have accepted domains of their own'
    Check = {
        $problems = @()
        $at = @{ DomainController = 'ham-dc-01.corp.contoso.net'; ErrorAction = 'Stop' }
        $domains = @(Get-AcceptedDomain @at)
        $names = @($domains | ForEach-Object -Process { [string] $_.DomainName })
        $realm = 'contoso.com'
        $mailbox = ('sfb.check@mail.contoso.com' -split '@')[-1]
        foreach ($domain in @($realm, $mailbox | Select-Object -Unique)) {
            if ($names -notcontains $domain) {
                $cover = @($names | Where-Object -FilterScript { ".$domain" -like $_ })
                $problems += "$domain is no accepted domain of its own (a wildcard does not " +
                "count: '$cover'), Exchange would answer 401 invalid_tenant. Add it: " +
                "New-AcceptedDomain -Name '$domain' -DomainName '$domain'"
            }
        }
        # Microsoft's script makes the account's address from the name of the first domain.
        $first = [string] @($domains | Select-Object -First 1 -ExpandProperty 'Name')
        $account = "Name -eq 'LyncEnterprise-ApplicationAccount'"
        $found = @(Get-User -Filter $account -ResultSize 'Unlimited' @at)
        if ($found.Count -eq 0 -and $first -cnotmatch '^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$') {
            $problems += "The first accepted domain is named '$first', which is no SMTP domain: " +
            "Microsoft's script would fail. Make the account first: New-MailUser -Name " +
            "'LyncEnterprise-ApplicationAccount' -ExternalEmailAddress " +
            "'LyncEnterprise-ApplicationAccount@$realm'"
        }
        @{ Saw = "Accepted domains $names, the first named $first"; Problems = $problems }
    }
}

# =====================================================================================
# Check 7 of 7 - No other application has Skype's identifier
#
# Why      With a second or an unrelated one Microsoft's script fails half-way.
# Passed   None has Skype's identifier, or exactly ours does.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 7
    Id = 'partner-applications'
    Title = 'No other application has Skype''s identifier'
    Check = {
        $problems = @()
        $at = @{ DomainController = 'ham-dc-01.corp.contoso.net'; ErrorAction = 'Stop' }
        $url = 'https://ham-pool-web.contoso.com/metadata/json/1'
        $all = @(Get-PartnerApplication @at)
        $direct = @(Get-ManagementRoleAssignment -AssignmentMethod 'Direct' @at)
        $skype = @($all | Where-Object -FilterScript {
                $_.ApplicationIdentifier -eq '00000004-0000-0ff1-ce00-000000000000' })
        # Told apart by what they are: the online trust asks the authorization server, no URL.
        $online = @($skype | Where-Object -FilterScript {
                [string] $_.UseAuthServer -eq 'True' -and -not $_.AuthMetadataUrl })
        $ours = @($skype | Where-Object -FilterScript { $online -notcontains $_ })
        if ($ours.Count -gt 1) {
            $names = @($ours | ForEach-Object -Process { $_.Name }) -join ' and '
            $problems += "$names have Skype's identifier both. The Exchange team decides which " +
            "one goes: Remove-PartnerApplication -Identity '<its name>'"
        }
        foreach ($one in $ours) {
            $set = "Set-PartnerApplication -Identity '$($one.Name)'"
            $account = ([string] $one.LinkedAccount -split '/')[-1]
            if ($one.AuthMetadataUrl -ne $url) {
                $problems += "$($one.Name) trusts '$($one.AuthMetadataUrl)', not '$url'. If that " +
                "pool is gone: $set -AuthMetadataUrl '$url'; if it still counts, name it in the " +
                'inventory as skype.metadata_host and build again.'
            } elseif ([string] $one.Enabled -ne 'True') {
                $problems += "$($one.Name) is switched off: Exchange refuses Skype's tokens. Ask " +
                "who did that and why, then: $set -Enabled `$true"
            } elseif (@($one.CertificateStrings | Where-Object -FilterScript { $_ }).Count -eq 0) {
                $problems += "$($one.Name) has no certificate, so no token can be checked. Fetch " +
                "it: $set -RefreshAuthMetadata"
            } elseif ($one.Name -cnotmatch '^LyncEnterprise-[0-9a-f]{32}$' -or
                $account -cnotmatch '^LyncEnterprise-ApplicationAccount\d*$' -or
                [string] $one.AcceptSecurityIdentifierInformation -ne 'True') {
                $problems += "$($one.Name) with '$account' was not made by Microsoft's script: " +
                "shall it go? Ask its owner; Remove-PartnerApplication -Identity '$($one.Name)'"
            } else {
                $roles = 'ArchiveApplication', 'MeetingGraphApplication', 'UserApplication'
                $have = @($direct | Where-Object -FilterScript {
                        $_.RoleAssigneeName -eq $account } | ForEach-Object -Process { $_.Role })
                foreach ($role in $roles) {
                    if ($have -notcontains $role) {
                        $problems += "$account is gone, or lacks a role that Skype works with: " +
                        "New-ManagementRoleAssignment -Role '$role' -User '$account'"
                    }
                }
            }
        }
        $saw = @($skype | ForEach-Object -Process { "$($_.Name) '$($_.AuthMetadataUrl)'" })
        @{ Saw = "Skype's identifier: $($saw -join ', ')"; Problems = $problems }
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
