# What the web server of a Front End answers, made of the state of the organization: the metadata
# document with the certificate that has reached this server.
param ([string] $Url, [object] $State)

$skype = '00000004-0000-0ff1-ce00-000000000000'
$culture = [System.Globalization.CultureInfo]::InvariantCulture
$realm = $State.skype.oauth.Realm
$copies = Get-LabField -Object $State.skype -Name 'replicas'
$copy = Get-LabField -Object $copies -Name ([uri] $Url).Host
if (-not $copy) {
    $copy = $State.skype
}
$published = [string] (Get-LabField -Object $State.skype -Name 'published')
if (-not $published) {
    $published = $copy.assigned
}
$keys = @()
if ($published) {
    $file = "$PSScriptRoot/certificates/$published.txt"
    $keys += @{
        usage = 'signing'
        keyvalue = @{
            type = 'x509Certificate'
            value = [System.IO.File]::ReadAllText($file).Trim()
        }
    }
}
$document = [ordered] @{
    id = 'lab'
    version = '1.0'
    name = 'Lync'
    realm = $realm
    serviceName = $skype
    issuer = "$skype@$realm"
    allowedAudiences = @("$skype@$realm")
    keys = $keys
}
[pscustomobject] @{
    status = 200
    headers = [pscustomobject] @{
        'Content-Type' = 'application/json'
        Date = (Get-Date).ToUniversalTime().ToString('r', $culture)
    }
    body = ConvertTo-Json -InputObject $document -Depth 6 -Compress
}
