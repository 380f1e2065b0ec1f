# What the web server of Exchange answers, made of the state of the organisation.
param ([string] $Url, [object] $State)

$exchange = '00000002-0000-0ff1-ce00-000000000000'
if ($Url -like '*/metadata/json/1') {
    $body = '{"version":"1.0","serviceName":"' + $exchange + '","realm":"litwareinc.com",' +
    '"keys":[{"usage":"signing"}]}'
    [pscustomobject] @{
        status = 200; headers = [pscustomobject] @{ 'Content-Type' = 'application/json' }
        body = $body
    }
    return
}
# Trusted issuers are those that IIS has read: at its restart.
$issuers = @("$exchange@litwareinc.com")
foreach ($application in @($State.exchange.applications)) {
    if ($application.Enabled -and $application.AuthMetadataUrl -and (Test-LabRestarted -State $State)) {
        $issuers += "$($application.ApplicationIdentifier)@litwareinc.com"
    }
}
$bearer = "Bearer client_id=`"$exchange`", trusted_issuers=`"$($issuers -join ',')`""
[pscustomobject] @{
    status = 401; body = ''
    headers = [pscustomobject] @{ 'WWW-Authenticate' = @($bearer, 'Negotiate', 'NTLM') }
}
