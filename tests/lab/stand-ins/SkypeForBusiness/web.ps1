# What the web server of a Front End answers, made of the state of the organisation.
param ([string] $Url, [object] $State)

$skype = '00000004-0000-0ff1-ce00-000000000000'
$realm = $State.skype.oauth.Realm
[pscustomobject] @{
    status = 200
    headers = [pscustomobject] @{ 'Content-Type' = 'application/json' }
    body = '{"version":"1.0","serviceName":"' + $skype + '","realm":"' + $realm + '",' +
    '"issuer":"' + $skype + '@' + $realm + '","keys":[{"usage":"signing"}]}'
}
