# What the web server of Exchange answers, made of the state of the organization: its metadata
# document, and the challenge of the web services to a caller without a token.
param ([string] $Url, [object] $State)

$exchange = '00000002-0000-0ff1-ce00-000000000000'
$culture = [System.Globalization.CultureInfo]::InvariantCulture
$now = (Get-Date).ToUniversalTime()
$skew = [int] (Get-LabField -Object $State.exchange -Name 'clockBehind')
$date = $now.AddSeconds(-$skew).ToString('r', $culture)

# The Auth certificate of this organization; the store of a server may lack it.
$certificate = [System.IO.File]::ReadAllText("$env:LAB_ROOT/exchange/auth-certificate.txt").Trim()
if ($Url -like '*/metadata/json/1') {
    $config = Get-LabField -Object $State.exchange -Name 'authConfig'
    if ($config -and $config.CurrentCertificateThumbprint -ne 'D40E0FDDD0FD8CF20C171E9553D9C2731B006390') {
        [pscustomobject] @{
            status = 500; body = ''; headers = [pscustomobject] @{ Date = $date }
        }
        return
    }
    $key = @{
        usage = 'signing'
        keyvalue = @{ type = 'x509Certificate'; value = $certificate }
    }
    $document = [ordered] @{
        id = 'lab'
        version = '1.0'
        name = 'Exchange'
        realm = ''
        serviceName = $exchange
        issuer = "$exchange@"
        allowedAudiences = @("$exchange@")
        keys = @($key)
    }
    [pscustomobject] @{
        status = 200
        headers = [pscustomobject] @{ 'Content-Type' = 'application/json'; Date = $date }
        body = ConvertTo-Json -InputObject $document -Depth 6 -Compress
    }
    return
}
# Trusted issuers are those that IIS has read: at its restart, or by itself after 15 minutes.
$issuers = @('00000001-0000-0000-c000-000000000000@*')
foreach ($application in @($State.exchange.applications)) {
    $made = [string] (Get-LabField -Object $application -Name 'WhenCreatedUTC')
    $old = -not $made -or ([datetime] $made).ToUniversalTime().AddMinutes(15) -le $now
    if ($application.Enabled -and $application.AuthMetadataUrl -and
        ($old -or (Test-LabRestarted -State $State))) {
        $realm = Get-LabField -Object $application -Name 'Realm'
        $issuers += "$($application.ApplicationIdentifier)@$realm"
    }
}
$challenges = @('Negotiate', 'NTLM')
$off = @(Get-LabField -Object $State.exchange -Name 'oauthOff')
if ($off -notcontains 'Autodiscover') {
    $challenges = @("Bearer client_id=`"$exchange`", trusted_issuers=`"$($issuers -join ',')`"") +
    $challenges
}
[pscustomobject] @{
    status = 401; body = ''
    headers = [pscustomobject] @{ 'WWW-Authenticate' = $challenges; Date = $date }
}
