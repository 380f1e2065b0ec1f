# The module of Skype for Business Server: parameters bind as those of the real cmdlets, objects
# have the properties of the real ones and no others. Configuration objects have no Guid.
#
# State: the key `skype` of state.json. oauth, applications, policies and assigned (the thumbprint
# of OAuthTokenIssuer, or '') are the Central Management Store; every Front End has a copy of them
# under replicas.<fqdn>, which stays as it is until Invoke-CsManagementStoreReplication, or none as
# long as it is like the store. Beside them:
#   certificates   what is in the certificate store of the Front Ends
#   contactStore   how many contact lists are where, the same in every pool
#   users          those that are there
#   pools          their Front Ends; an unknown pool has those that no other one has
#   master         the server of the active Central Management Store
#   failures       what the storage service has recorded
# LAB_FLAGS: 'stuck' replication, 'hasty' (says up to date although it is not), 'silent' and
# 'denied' for Test-CsExStorageConnectivity. LAB_SLOW: applications show only after this time.

$script:Exchange = '00000002-0000-0ff1-ce00-000000000000'
$script:Skype = '00000004-0000-0ff1-ce00-000000000000'
$script:Stored = 'oauth', 'applications', 'policies', 'assigned'

function Get-SkypeServer {
    # The Front Ends of the lab by their full names.
    param ([object] $State)

    foreach ($one in $State.hosts.PSObject.Properties) {
        if ($one.Value.product -eq 'skype') {
            (Get-LabFullName -Name $one.Name -Facts $one.Value).ToLowerInvariant()
        }
    }
}

function Get-SkypeCopy {
    # The store as a server has it: its own copy, or the central one.
    param ([object] $State, [string] $Server = '')

    $skype = $State.skype
    $copy = Get-LabField -Object (Get-LabField -Object $skype -Name 'replicas') -Name $Server
    if ($Server -and $copy) {
        $copy
    } else {
        $skype | Select-Object -Property $script:Stored
    }
}

function Get-SkypeStore {
    # What a cmdlet reads: the central store, or with -LocalStore the copy of this server.
    param ([bool] $LocalStore)

    $state = Read-LabState
    $server = ''
    if ($LocalStore) {
        $facts = Get-LabHost -State $state
        $server = (Get-LabFullName -Name $env:COMPUTERNAME -Facts $facts).ToLowerInvariant()
    }
    Get-SkypeCopy -State $state -Server $server
}

function Edit-SkypeStore {
    # Changes the central store: the copies of the Front Ends stay as they were.
    param ([scriptblock] $Change)

    $state = Read-LabState
    $before = ConvertTo-Json -InputObject (Get-SkypeCopy -State $state) -Depth 8
    if (-not $state.skype.PSObject.Properties['replicas']) {
        $none = [pscustomobject] @{}
        $state.skype | Add-Member -MemberType NoteProperty -Name 'replicas' -Value $none
    }
    foreach ($server in Get-SkypeServer -State $state) {
        if (-not $state.skype.replicas.PSObject.Properties[$server]) {
            $copy = ConvertFrom-Json -InputObject $before
            $state.skype.replicas | Add-Member -MemberType NoteProperty -Name $server -Value $copy
        }
    }
    & $Change $state.skype
    Remove-SkypeCopy -State $state
    Write-LabState -State $state
}

function Remove-SkypeCopy {
    # A copy that is like the store again is left out.
    param ([object] $State)

    $central = ConvertTo-Json -InputObject (Get-SkypeCopy -State $State) -Depth 8
    foreach ($copy in @($State.skype.replicas.PSObject.Properties)) {
        if ((ConvertTo-Json -InputObject $copy.Value -Depth 8) -eq $central) {
            $State.skype.replicas.PSObject.Properties.Remove($copy.Name)
        }
    }
    if (@($State.skype.replicas.PSObject.Properties).Count -eq 0) {
        $State.skype.PSObject.Properties.Remove('replicas')
    }
}

function Get-CsManagementConnection {
    [CmdletBinding()]
    param ()

    Enter-LabCall -Name 'Get-CsManagementConnection'
    [pscustomobject] @{ StoreProvider = 'Sql'; Connection = 'rtc'; ReadOnly = $false }
    Exit-LabCall -Name 'Get-CsManagementConnection'
}

function Get-CsOAuthConfiguration {
    [CmdletBinding()]
    param ([Parameter(Position = 0)] [string] $Identity, [switch] $LocalStore)

    Enter-LabCall -Name 'Get-CsOAuthConfiguration'
    $store = Get-SkypeStore -LocalStore $LocalStore
    $applications = @($store.applications)
    $store.oauth | Select-Object -Property @(
        'Identity', @{ Name = 'PartnerApplications'; Expression = { $applications } },
        'ExchangeAutodiscoverUrl', 'Realm', 'ServiceName')
    Exit-LabCall -Name 'Get-CsOAuthConfiguration'
}

function Set-CsOAuthConfiguration {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Position = 1)] [string] $Identity, [string] $ExchangeAutodiscoverUrl,
        [string] $ExchangeAutodiscoverAllowedDomains, [string] $Realm, [string] $ServiceName,
        [switch] $Force
    )

    Enter-LabCall -Name 'Set-CsOAuthConfiguration'
    if ($PSCmdlet.ShouldProcess('Global')) {
        $given = $PSBoundParameters
        Edit-SkypeStore -Change {
            param ($skype)
            foreach ($name in 'ExchangeAutodiscoverUrl', 'Realm', 'ServiceName') {
                if ($given.ContainsKey($name)) {
                    $skype.oauth.$name = [string] $given[$name]
                }
            }
        }
    }
    Exit-LabCall -Name 'Set-CsOAuthConfiguration'
}

function Get-CsPartnerApplication {
    [CmdletBinding()]
    param ([Parameter(Position = 1)] [string] $Identity, [switch] $LocalStore)

    Enter-LabCall -Name 'Get-CsPartnerApplication'
    $found = @((Get-SkypeStore -LocalStore $LocalStore).applications)
    if ($env:LAB_SLOW -and (Get-Date).ToUniversalTime() -lt
        ([datetimeoffset] $env:LAB_SLOW).UtcDateTime) {
        $found = @()
    }
    if ($Identity) {
        $found = @($found | Where-Object -FilterScript { $_.Identity -eq $Identity })
        if ($found.Count -eq 0) {
            Write-Error -Message "Cannot find 'PartnerApplication' '$Identity'."
        }
    }
    foreach ($one in $found) {
        $answer = [ordered] @{ Identity = $one.Identity; Name = $one.Identity }
        foreach ($name in 'ApplicationIdentifier', 'Realm', 'ApplicationTrustLevel',
            'AcceptSecurityIdentifierInformation', 'Enabled', 'AuthToken') {
            $answer[$name] = Get-LabField -Object $one -Name $name
        }
        [pscustomobject] $answer
    }
    Exit-LabCall -Name 'Get-CsPartnerApplication'
}

function New-CsPartnerApplication {
    # It downloads the document already when it binds the address.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Position = 1)] [string] $Identity,
        [Parameter(Mandatory = $true)] [ValidateSet('Full', 'Application', 'User')]
        [string] $ApplicationTrustLevel,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataUrl')] [string] $MetadataUrl,
        [Parameter(Mandatory = $true, ParameterSetName = 'UseOAuthServer')]
        [switch] $UseOAuthServer,
        [Parameter(Mandatory = $true, ParameterSetName = 'UseOAuthServer')]
        [string] $ApplicationIdentifier,
        [bool] $AcceptSecurityIdentifierInformation = $false, [bool] $Enabled = $true,
        [switch] $Force
    )

    Enter-LabCall -Name 'New-CsPartnerApplication'
    $token = 'Microsoft.Rtc.Management.WritableConfig.Settings.SSAuth.UseOAuthServer'
    if ($MetadataUrl) {
        $body = ''
        try {
            $body = (Invoke-WebRequest -Uri $MetadataUrl -UseBasicParsing).Content
        } catch {
            $body = ''
        }
        if (-not $body.Contains($script:Exchange)) {
            throw "Cannot bind parameter 'MetadataUrl' to the target. Exception setting " +
            '"MetadataUrl": "The metadata document could not be downloaded from the URL in the ' +
            'MetadataUrl parameter or downloaded data is not a valid metadata document."'
        }
        $ApplicationIdentifier = $script:Exchange
        $token = "Value=$MetadataUrl"
    }
    if (@((Read-LabState).skype.applications | Where-Object -FilterScript {
                $_.Identity -eq $Identity }).Count -gt 0) {
        throw "An object with the identity '$Identity' exists already."
    }
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Edit-SkypeStore -Change {
            param ($skype)
            $skype.applications = @($skype.applications) + [pscustomobject] @{
                Identity = $Identity
                ApplicationIdentifier = $ApplicationIdentifier
                Realm = ''
                ApplicationTrustLevel = $ApplicationTrustLevel
                AcceptSecurityIdentifierInformation = $AcceptSecurityIdentifierInformation
                Enabled = $Enabled
                AuthToken = $token
            }
        }
    }
    Exit-LabCall -Name 'New-CsPartnerApplication'
}

function Remove-CsPartnerApplication {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param ([Parameter(Mandatory = $true, Position = 1)] [string] $Identity, [switch] $Force)

    Enter-LabCall -Name 'Remove-CsPartnerApplication'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Edit-SkypeStore -Change {
            param ($skype)
            $skype.applications = @($skype.applications | Where-Object -FilterScript {
                    $_.Identity -ne $Identity })
        }
    }
    Exit-LabCall -Name 'Remove-CsPartnerApplication'
}

function Get-CsUserServicesPolicy {
    [CmdletBinding()]
    param ([Parameter(Position = 0)] [string] $Identity, [switch] $LocalStore)

    Enter-LabCall -Name 'Get-CsUserServicesPolicy'
    $found = @((Get-SkypeStore -LocalStore $LocalStore).policies | Where-Object -FilterScript {
            -not $Identity -or $_.Identity -eq $Identity })
    if ($found.Count -eq 0) {
        Write-Error -Message "Cannot find 'UserServicesPolicy' '$Identity'."
    }
    $found | Select-Object -Property 'Identity', 'UcsAllowed'
    Exit-LabCall -Name 'Get-CsUserServicesPolicy'
}

function Set-CsUserServicesPolicy {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param ([Parameter(Position = 1)] [string] $Identity, [bool] $UcsAllowed, [switch] $Force)

    Enter-LabCall -Name 'Set-CsUserServicesPolicy'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Edit-SkypeStore -Change {
            param ($skype)
            foreach ($policy in @($skype.policies | Where-Object -FilterScript {
                        $_.Identity -eq $Identity })) {
                $policy.UcsAllowed = $UcsAllowed
            }
        }
    }
    Exit-LabCall -Name 'Set-CsUserServicesPolicy'
}

function Debug-CsUnifiedContactStore {
    [CmdletBinding(DefaultParameterSetName = 'PoolFqdn')]
    param (
        [Parameter(Mandatory = $true, ParameterSetName = 'PoolFqdn')] [string] $PoolFqdn,
        [Parameter(Mandatory = $true, ParameterSetName = 'Identity')] [string] $Identity,
        [switch] $Force
    )

    Enter-LabCall -Name 'Debug-CsUnifiedContactStore'
    $counts = (Read-LabState).skype.contactStore
    if ($counts) {
        [pscustomobject] @{
            FrontEnd = $PoolFqdn
            UcsDisabledCount = $counts.Disabled
            UcsAllowedCount = $counts.Allowed
            UcsMigratingCount = $counts.Migrating
            UcsMigratedCount = $counts.Migrated
            FailedUserData = ''
        }
    }
    Exit-LabCall -Name 'Debug-CsUnifiedContactStore'
}

function Get-CsCertificate {
    # With -Identity global what is assigned, without it what has reached this server.
    [CmdletBinding()]
    param (
        [ValidateSet('Default', 'WebServicesInternal', 'WebServicesExternal', 'OAuthTokenIssuer')]
        [string[]] $Type,
        [Parameter(Position = 1)] [string] $Identity
    )

    Enter-LabCall -Name 'Get-CsCertificate'
    $assigned = @((Get-SkypeStore -LocalStore (-not $Identity)).assigned | Where-Object { $_ })
    foreach ($thumbprint in $assigned) {
        $certificate = @((Read-LabState).skype.certificates | Where-Object -FilterScript {
                $_.Thumbprint -eq $thumbprint })
        [pscustomobject] @{
            Issuer = "CN=$($certificate[0].Name)"
            NotBefore = ([datetime] $certificate[0].NotBefore).ToLocalTime()
            NotAfter = ([datetime] $certificate[0].NotAfter).ToLocalTime()
            SerialNumber = '01'
            Subject = "CN=$($certificate[0].Name)"
            AlternativeNames = @($certificate[0].DnsNames)
            Thumbprint = $thumbprint
            EffectiveDate = ([datetime] $certificate[0].NotBefore).ToLocalTime()
            PreviousThumbprint = ''
            UpdateTime = $null
            Use = 'OAuthTokenIssuer'
            SourceScope = 'Global'
        }
    }
    Exit-LabCall -Name 'Get-CsCertificate'
}

function Set-CsCertificate {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [string[]] $Type, [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [string] $Identity, [datetime] $EffectiveDate, [switch] $Roll, [switch] $Force
    )

    Enter-LabCall -Name 'Set-CsCertificate'
    $own = @((Read-LabState).skype.certificates | Where-Object -FilterScript {
            $_.Thumbprint -eq $Thumbprint -and $_.HasPrivateKey })
    if ($own.Count -ne 1) {
        throw "Command execution failed: Certificate $Thumbprint was not found."
    }
    if ($PSCmdlet.ShouldProcess("$Type $Thumbprint")) {
        Edit-SkypeStore -Change {
            param ($skype)
            $skype.assigned = $own[0].Thumbprint
        }
    }
    Exit-LabCall -Name 'Set-CsCertificate'
}

function Remove-CsCertificate {
    # Takes the assignment back; the certificate stays in the store of the servers.
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param (
        [string[]] $Type, [Parameter(Position = 1)] [string] $Identity, [switch] $Previous,
        [switch] $Force
    )

    Enter-LabCall -Name 'Remove-CsCertificate'
    if ($PSCmdlet.ShouldProcess("$Type")) {
        if (-not $Force) {
            throw 'A question was asked: is the certificate in use to be removed?'
        }
        Edit-SkypeStore -Change {
            param ($skype)
            $skype.assigned = ''
        }
    }
    Exit-LabCall -Name 'Remove-CsCertificate'
}

function Get-CsManagementStoreReplicationStatus {
    # The Edge Server of the lab is behind for ever, as one behind a firewall is.
    [CmdletBinding()]
    param ([Parameter(Position = 1)] [string] $ReplicaFqdn, [switch] $CentralManagementStoreStatus)

    Enter-LabCall -Name 'Get-CsManagementStoreReplicationStatus'
    $state = Read-LabState
    if ($CentralManagementStoreStatus) {
        [pscustomobject] @{
            ActiveMasterFqdn = [string] $state.skype.master
            ActiveReplicas = @(Get-SkypeServer -State $state)
            DeletedReplicas = @()
        }
    } else {
        $behind = Get-LabField -Object $state.skype -Name 'replicas'
        $silent = @(Get-LabField -Object $state.skype -Name 'silentReplicas')
        foreach ($server in @(Get-SkypeServer -State $state) + 'atl-edge-001.litwareinc.com') {
            $late = [bool] (Get-LabField -Object $behind -Name $server)
            if ((-not $ReplicaFqdn -or $ReplicaFqdn -eq $server) -and
                $silent -notcontains $server) {
                [pscustomobject] @{
                    UpToDate = $server -notlike '*edge*' -and
                    (-not $late -or (Get-LabFlag -Name 'hasty'))
                    ReplicaFqdn = $server
                    LastStatusReport = Get-Date
                    LastUpdateCreation = Get-Date
                    ProductVersion = '6.0.9319.0'
                }
            }
        }
    }
    Exit-LabCall -Name 'Get-CsManagementStoreReplicationStatus'
}

function Invoke-CsManagementStoreReplication {
    [CmdletBinding()]
    param ([Parameter(Position = 1)] [string] $ReplicaFqdn, [switch] $Force)

    Enter-LabCall -Name 'Invoke-CsManagementStoreReplication'
    $state = Read-LabState
    $copies = Get-LabField -Object $state.skype -Name 'replicas'
    if ($copies -and -not (Get-LabFlag -Name 'stuck')) {
        foreach ($server in @($copies.PSObject.Properties | ForEach-Object -Process { $_.Name })) {
            if (-not $ReplicaFqdn -or $ReplicaFqdn -eq $server) {
                $copies.PSObject.Properties.Remove($server)
            }
        }
        Remove-SkypeCopy -State $state
        Write-LabState -State $state
    }
    Exit-LabCall -Name 'Invoke-CsManagementStoreReplication'
}

function Get-CsPool {
    [CmdletBinding()]
    param ([Parameter(Position = 1)] [string] $Identity)

    Enter-LabCall -Name 'Get-CsPool'
    $state = Read-LabState
    $pools = Get-LabField -Object $state.skype -Name 'pools'
    $servers = @(Get-SkypeServer -State $state)
    $computers = @(Get-LabField -Object $pools -Name $Identity)
    if (-not $computers[0] -and $servers -contains $Identity) {
        $computers = @($Identity)
    } elseif (-not $computers[0]) {
        $others = @($pools.PSObject.Properties | ForEach-Object -Process { $_.Value })
        $computers = @($servers | Where-Object -FilterScript { $others -notcontains $_ })
    }
    [pscustomobject] @{
        Identity = $Identity
        Services = @("Registrar:$Identity", "UserServer:$Identity")
        Computers = [System.Collections.ArrayList] $computers
        Fqdn = $Identity
        Site = 'Site:Redmond'
    }
    Exit-LabCall -Name 'Get-CsPool'
}

function Get-CsUser {
    [CmdletBinding()]
    param ([Parameter(Position = 0)] [string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Get-CsUser'
    $found = @((Read-LabState).skype.users | Where-Object -FilterScript {
            $_.SipAddress -eq $Identity })
    if ($found.Count -eq 0) {
        Write-Error -Message "Management object not found for identity `"$Identity`"."
    }
    foreach ($one in $found) {
        [pscustomobject] @{
            Identity = "CN=$($one.Name),CN=Users,DC=litwareinc,DC=com"
            SipAddress = $one.SipAddress
            Enabled = $one.Enabled
            RegistrarPool = $one.RegistrarPool
            DisplayName = $one.Name
        }
    }
    Exit-LabCall -Name 'Get-CsUser'
}

function Export-CsConfiguration {
    [CmdletBinding(DefaultParameterSetName = 'FileName')]
    param (
        [Parameter(Mandatory = $true, ParameterSetName = 'FileName', Position = 0)]
        [string] $FileName,
        [switch] $Force, [switch] $LocalStore
    )

    Enter-LabCall -Name 'Export-CsConfiguration'
    [System.IO.File]::WriteAllText($FileName, 'zip')
    Exit-LabCall -Name 'Export-CsConfiguration'
}

function Get-SkypeFault {
    # Why the storage service of this server does not reach a mailbox, in its words; or ''.
    $state = Read-LabState
    $recorded = [string] (Get-LabField -Object $state.skype -Name 'failures')
    $store = Get-SkypeStore -LocalStore $true
    $url = [string] $store.oauth.ExchangeAutodiscoverUrl
    $words = 'StoreWebException: code=ErrorEwsAutodiscover, reason=GetUserSettings failed, ' +
    "Autodiscover Uri=$url, Autodiscover WebProxy=<NULL>"
    $application = @($store.applications | Where-Object -FilterScript {
            $_.ApplicationIdentifier -eq $script:Exchange -and $_.Enabled -and
            $_.ApplicationTrustLevel -eq 'Full' -and $_.AuthToken -notlike '*UseOAuthServer' })
    $known = @($state.exchange.applications | ForEach-Object -Process {
            Get-LabField -Object $_ -Name 'CertificateStrings' })
    $challenge = & "$env:LAB_ROOT/exchange/web.ps1" -Url $url -State $state
    $trusted = "$($challenge.headers.'WWW-Authenticate')"
    if ($recorded) {
        $recorded
    } elseif (-not $url) {
        $words
    } elseif (-not $url.EndsWith('/autodiscover/autodiscover.svc')) {
        "$words ---> System.Net.WebException: The remote server returned an error: (404) Not Found."
    } elseif ($application.Count -ne 1 -or
        $known -notcontains (Get-SkypeKey -Assigned $store.assigned) -or
        -not $trusted.Contains("$script:Skype@$($store.oauth.Realm)")) {
        "$words ---> System.Net.WebException: The remote server returned an error: (401) " +
        'Unauthorized.'
    }
}

function Get-SkypeKey {
    # The certificate itself, as it is published.
    param ([string] $Assigned)

    $file = "$PSScriptRoot/certificates/$Assigned.txt"
    if ($Assigned -and [System.IO.File]::Exists($file)) {
        [System.IO.File]::ReadAllText($file).Trim()
    }
}

function Test-CsExStorageConnectivity {
    [CmdletBinding()]
    param (
        [Parameter(Mandatory = $true, Position = 0)] [string] $SipUri,
        [ValidateSet('NetNamedPipe', 'NetTCP')] [string] $Binding, [switch] $DeleteItem,
        [ValidateSet('ConversationHistory', 'Inbox', 'Dumpster')] [string] $Folder,
        [string] $HostNameStorageService, [switch] $UseCache, [switch] $Force
    )

    Enter-LabCall -Name 'Test-CsExStorageConnectivity'
    if ($Binding -eq 'NetTCP' -and -not $HostNameStorageService) {
        throw 'HostNameStorageService is required with NetTCP.'
    }
    if (Get-LabFlag -Name 'silent') {
        return
    }
    if (Get-LabFlag -Name 'denied') {
        throw (New-Object -TypeName System.UnauthorizedAccessException -ArgumentList (
                'Access Denied'))
    }
    $fault = Get-SkypeFault
    if ($fault) {
        throw "ExCreateItem exchange operation failed, code=5, reason=$fault"
    }
    'Test Passed.'
    Exit-LabCall -Name 'Test-CsExStorageConnectivity'
}

function Debug-CsStorageServiceFailures {
    # Text, not an object; nothing when nothing failed.
    [CmdletBinding()]
    param ([string] $SipUri, [datetime] $StartTime, [datetime] $EndTime, [switch] $Force)

    Enter-LabCall -Name 'Debug-CsStorageServiceFailures'
    $fault = Get-SkypeFault
    if ($fault) {
        "EndpointId : $SipUri`r`nEndpointStatusDetail : $fault"
    }
    Exit-LabCall -Name 'Debug-CsStorageServiceFailures'
}

function Get-ChildItem {
    # The certificate store of this computer; everything else is left to the real command.
    [CmdletBinding()]
    param ([string] $LiteralPath)

    Enter-LabCall -Name 'Get-ChildItem'
    if ($LiteralPath -ne 'Cert:\LocalMachine\My') {
        Microsoft.PowerShell.Management\Get-ChildItem -LiteralPath $LiteralPath
    }
    foreach ($one in @((Read-LabState).skype.certificates)) {
        [pscustomobject] @{
            Thumbprint = $one.Thumbprint
            Subject = "CN=$($one.Name)"
            HasPrivateKey = $one.HasPrivateKey
            NotBefore = ([datetime] $one.NotBefore).ToLocalTime()
            NotAfter = ([datetime] $one.NotAfter).ToLocalTime()
            PublicKey = [pscustomobject] @{
                Oid = [pscustomobject] @{ Value = $one.Algorithm }
                Key = [pscustomobject] @{ KeySize = $one.KeySize }
            }
            DnsNameList = @($one.DnsNames | ForEach-Object -Process {
                    [pscustomobject] @{ Punycode = $_; Unicode = $_ } })
        }
    }
    Exit-LabCall -Name 'Get-ChildItem'
}

Export-ModuleMember -Function '*-Cs*', 'Get-ChildItem'
