# The Exchange Management Shell as it answers through implicit remoting: text, ArrayList and dates
# instead of Exchange's own types, bounded lists, random Guids, one view for each domain controller.
#
# State: the key `exchange` of state.json. Beside the lists of objects it may have
#   views          domain controller -> the applications that it shows, when it is behind
#   servers        NETBIOS -> properties that differ from those of a healthy server
#   authConfig     properties of the Auth configuration that differ
#   certificates   the certificates in the store of every server, instead of the Auth certificate
#   oauthOff       'EWS', 'Autodiscover': virtual directories with OAuth off
#   noDirectories  the same words: virtual directories that are not there

$script:Thumbprint = 'D40E0FDDD0FD8CF20C171E9553D9C2731B006390'
# What Microsoft's test data shows of each kind of object, in its order.
$script:Directory = 'AdminDisplayName', 'Name', 'DistinguishedName', 'Identity', 'Guid',
'ObjectCategory', 'ObjectClass', 'WhenChanged', 'WhenCreated', 'WhenChangedUTC', 'WhenCreatedUTC',
'OrganizationId', 'OriginatingServer', 'IsValid'
$script:Shapes = @{
    PartnerApplication = @('Enabled', 'ApplicationIdentifier', 'CertificateStrings',
        'AuthMetadataUrl', 'Realm', 'UseAuthServer', 'AcceptSecurityIdentifierInformation',
        'LinkedAccount', 'DeploymentId', 'IssuerIdentifier', 'AccountType', 'AppOnlyPermissions',
        'ActAsPermissions') + $script:Directory
    AcceptedDomain = @('DomainName', 'CatchAllRecipientID', 'DomainType', 'MatchSubDomains',
        'AddressBookEnabled', 'Default', 'EmailOnly', 'ExternallyManaged', 'AuthenticationType',
        'LiveIdInstanceType', 'PendingRemoval', 'PendingCompletion', 'FederatedOrganizationLink',
        'MailFlowPartner', 'OutboundOnly', 'PendingFederatedAccountNamespace',
        'PendingFederatedDomain', 'IsCoexistenceDomain', 'PerimeterDuplicateDetected',
        'IsDefaultFederatedDomain', 'EnableNego2Authentication', 'InitialDomain') +
    $script:Directory
    AuthConfig = @('CurrentCertificateThumbprint', 'PreviousCertificateThumbprint',
        'NextCertificateThumbprint', 'NextCertificateEffectiveDate', 'ServiceName', 'Realm',
        'DeploymentId', 'IssuerIdentifier') + $script:Directory
    VirtualDirectory = @('CertificateAuthentication', 'InternalNLBBypassUrl', 'GzipLevel',
        'MRSProxyEnabled', 'InternalAuthenticationMethods', 'ExternalAuthenticationMethods',
        'LiveIdNegotiateAuthentication', 'WSSecurityAuthentication', 'LiveIdBasicAuthentication',
        'BasicAuthentication', 'DigestAuthentication', 'WindowsAuthentication',
        'OAuthAuthentication', 'AdfsAuthentication', 'MetabasePath', 'Path',
        'ExtendedProtectionTokenChecking', 'ExtendedProtectionFlags', 'ExtendedProtectionSPNList',
        'AdminDisplayVersion', 'Server', 'InternalUrl', 'ExternalUrl') + $script:Directory
    ExchangeServer = @('DataPath', 'Domain', 'Edition', 'ExchangeLegacyDN',
        'ExchangeLegacyServerRole', 'Fqdn', 'CustomerFeedbackEnabled', 'InternetWebProxy',
        'InternetWebProxyBypassList', 'IsHubTransportServer', 'IsClientAccessServer',
        'IsExchange2007OrLater', 'IsEdgeServer', 'IsMailboxServer', 'IsE14OrLater', 'IsE15OrLater',
        'IsProvisionedServer', 'IsUnifiedMessagingServer', 'IsFrontendTransportServer',
        'NetworkAddress', 'OrganizationalUnit', 'AdminDisplayVersion', 'Site', 'ServerRole',
        'ErrorReportingEnabled', 'MitigationsEnabled', 'StaticDomainControllers',
        'StaticGlobalCatalogs', 'StaticConfigDomainController', 'StaticExcludedDomainControllers',
        'MonitoringGroup', 'CurrentDomainControllers', 'CurrentGlobalCatalogs',
        'CurrentConfigDomainController', 'ProductID', 'IsExchangeTrialEdition',
        'IsExpiredExchangeTrialEdition', 'MailboxProvisioningAttributes', 'RemainingTrialPeriod',
        'MitigationsApplied', 'MitigationsBlocked', 'DataCollectionEnabled') + $script:Directory
    ClientAccessService = 'Name', 'Fqdn', 'AutoDiscoverServiceCN',
    'AutoDiscoverServiceInternalUri', 'AutoDiscoverServiceGuid', 'AutoDiscoverSiteScope',
    'Identity', 'IsValid', 'OriginatingServer', 'Guid', 'WhenCreatedUTC', 'WhenChangedUTC'
    User = 'Name', 'DisplayName', 'SamAccountName', 'RecipientType', 'RecipientTypeDetails',
    'DistinguishedName', 'Identity', 'Guid', 'WhenCreatedUTC', 'WhenChangedUTC',
    'OriginatingServer', 'IsValid'
    RoleAssignment = 'Name', 'Role', 'RoleAssignee', 'RoleAssigneeName', 'RoleAssigneeType',
    'AssignmentMethod', 'Enabled', 'DistinguishedName', 'Identity', 'Guid', 'WhenCreatedUTC',
    'WhenChangedUTC', 'OriginatingServer', 'IsValid'
}

function New-ExchangeAnswer {
    # An object with exactly the properties of its kind, and the two that remoting adds.
    param ([string] $Kind, [object] $Values, [string] $DomainController)

    $answer = [ordered] @{}
    foreach ($name in $script:Shapes[$Kind]) {
        $value = Get-LabField -Object $Values -Name $name
        if ($value -is [array]) {
            # A list arrives as ArrayList, which is no [array].
            $value = [System.Collections.ArrayList] $value
        }
        $answer[$name] = $value
    }
    if (-not $answer.OriginatingServer) {
        $answer.OriginatingServer = $DomainController
    }
    $answer.PSComputerName = $env:COMPUTERNAME.ToLowerInvariant()
    $answer.RunspaceId = [System.Guid]::Empty
    [pscustomobject] $answer
}

function Get-ExchangeDomain {
    # The AD domain of a server, and the names of its two domain controllers.
    param ([string] $Server = $env:COMPUTERNAME)

    $facts = Get-LabHost -Name $Server
    $domain = [string] (Get-LabField -Object $facts -Name 'domain')
    @{ Name = $domain; Controllers = @("DC01.$domain", "DC02.$domain") }
}

function Assert-ExchangeController {
    # A domain controller that nobody knows is an error, never an empty answer.
    param ([string] $Name)

    $known = @($Name -match '(?i)^(DC|ham-dc-)' -or -not $Name)
    if (-not $known[0]) {
        throw "Domain controller '$Name' isn't available or couldn't be found."
    }
}

function Get-ExchangeFact {
    # One entry of the key exchange, or what is usual.
    param ([string] $Name, [object] $Usual)

    $found = Get-LabField -Object (Read-LabState).exchange -Name $Name
    if ($null -eq $found) {
        $found = $Usual
    }
    $found
}

function Join-ExchangeFact {
    # The usual properties, with those that the state says otherwise.
    param ([System.Collections.IDictionary] $Usual, [object] $Otherwise)

    if ($null -ne $Otherwise) {
        foreach ($property in $Otherwise.PSObject.Properties) {
            $Usual[$property.Name] = $property.Value
        }
    }
    [pscustomobject] $Usual
}

function Add-ExchangeObject {
    # Every directory object gets its own Guid and its times, as in Active Directory.
    param ([string] $List, [System.Collections.IDictionary] $Properties)

    $now = (Get-Date).ToUniversalTime().ToString('o')
    $state = Read-LabState
    $new = [ordered] @{ Guid = [System.Guid]::NewGuid().ToString() }
    foreach ($name in $Properties.Keys) {
        $new[$name] = $Properties[$name]
    }
    $new.WhenCreatedUTC = $now
    $new.WhenChangedUTC = $now
    $state.exchange.$List = @($state.exchange.$List) + [pscustomobject] $new
    Write-LabState -State $state
}

function Remove-ExchangeObject {
    param ([string] $List, [string] $Identity)

    $state = Read-LabState
    $found = @($state.exchange.$List | Where-Object -FilterScript {
            $_.Guid -eq $Identity -or $_.Name -eq $Identity })
    if ($found.Count -ne 1) {
        throw "The operation couldn't be performed because object '$Identity' couldn't be found."
    }
    $state.exchange.$List = @($state.exchange.$List | Where-Object -FilterScript {
            $_.Guid -ne $found[0].Guid })
    Write-LabState -State $state
}

function Get-ExchangeServer {
    [CmdletBinding()]
    param ([string] $Identity, [switch] $Status, [string] $DomainController)

    Enter-LabCall -Name 'Get-ExchangeServer'
    if (Get-LabFlag -Name 'dead-session') {
        throw 'Connecting to remote server failed: the WinRM shell was closed.'
    }
    $facts = Get-LabHost -Name $Identity
    if ($null -eq $facts -or $facts.product -ne 'exchange') {
        Write-Error -Message "The operation couldn't be performed because object '$Identity' couldn't be found."
        return
    }
    $domain = Get-ExchangeDomain -Server $Identity
    $controllers = @($domain.Controllers)
    if (Get-LabFlag -Name 'other-controller') {
        [System.Array]::Reverse($controllers)
    }
    $usual = [ordered] @{
        Name = $Identity; Domain = $domain.Name; Fqdn = Get-LabFullName -Name $Identity -Facts $facts
        IsMailboxServer = $true; IsClientAccessServer = $true; IsEdgeServer = $false
        ServerRole = 'Mailbox'; IsE15OrLater = $true; IsValid = $true
        AdminDisplayVersion = 'Version 15.1 (Build 2507.6)'
        Site = "$($domain.Name)/Configuration/Sites/Default-First-Site-Name"
        Guid = '3c5ebdaf-1885-4f22-8f60-0e8c1667abed'; Identity = $Identity
        CurrentDomainControllers = @(); CurrentGlobalCatalogs = @()
        CurrentConfigDomainController = ''
    }
    if ($Status) {
        $usual.CurrentDomainControllers = $controllers
        $usual.CurrentGlobalCatalogs = @($controllers[0])
        $usual.CurrentConfigDomainController = $controllers[0]
    }
    $own = Get-LabField -Object (Get-ExchangeFact -Name 'servers') -Name $Identity
    $server = Join-ExchangeFact -Usual $usual -Otherwise $own
    New-ExchangeAnswer -Kind 'ExchangeServer' -Values $server -DomainController $controllers[0]
    Exit-LabCall -Name 'Get-ExchangeServer'
}

function Get-PartnerApplication {
    # With a name that is missing, -Identity answers with all of them.
    [CmdletBinding()]
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Get-PartnerApplication'
    Assert-ExchangeController -Name $DomainController
    $state = Read-LabState
    $list = @($state.exchange.applications)
    $views = Get-LabField -Object $state.exchange -Name 'views'
    $view = Get-LabField -Object $views -Name "$DomainController"
    if ($null -ne $view) {
        $list = @($view)
    } elseif ($DomainController -like 'DC02.*' -and (Get-LabFlag -Name 'behind')) {
        $list = @($list | Where-Object -FilterScript { [string] $_.UseAuthServer -eq 'True' })
    }
    $named = @($list | Where-Object -FilterScript { $_.Name -eq $Identity -or $_.Guid -eq $Identity })
    if ($named.Count -gt 0) {
        $list = $named
    }
    foreach ($one in $list) {
        $usual = [ordered] @{ Realm = ''; AccountType = 'OrganizationalAccount'; IsValid = $true }
        $answer = Join-ExchangeFact -Usual $usual -Otherwise $one
        New-ExchangeAnswer -Kind 'PartnerApplication' -Values $answer -DomainController $DomainController
    }
    Exit-LabCall -Name 'Get-PartnerApplication'
}

function New-PartnerApplication {
    # Downloads the metadata document; the same identifier and realm a second time is refused.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $AuthMetadataUrl,
        [bool] $AcceptSecurityIdentifierInformation, [bool] $Enabled = $true,
        [string] $LinkedAccount, [switch] $TrustAnySSLCertificate, [string] $DomainController
    )

    Enter-LabCall -Name 'New-PartnerApplication'
    Assert-ExchangeController -Name $DomainController
    $web = Invoke-WebRequest -Uri $AuthMetadataUrl -UseBasicParsing
    $document = ConvertFrom-Json -InputObject $web.Content
    $realm = [string] (Get-LabField -Object $document -Name 'realm')
    $certificates = @(foreach ($key in @($document.keys)) {
            $value = Get-LabField -Object (Get-LabField -Object $key -Name 'keyvalue') -Name 'value'
            if ($value) {
                $value
            } else {
                'MIIC'
            }
        })
    $twin = @((Read-LabState).exchange.applications | Where-Object -FilterScript {
            $_.ApplicationIdentifier -eq $document.serviceName -and
            [string] (Get-LabField -Object $_ -Name 'Realm') -eq $realm })
    if ($twin.Count -gt 0) {
        throw 'ErrorDuplicatePartnerApplication'
    }
    if ($PSCmdlet.ShouldProcess($Name)) {
        Add-ExchangeObject -List 'applications' -Properties ([ordered] @{
                Name = $Name
                ApplicationIdentifier = $document.serviceName
                AuthMetadataUrl = $AuthMetadataUrl
                Realm = $realm
                Enabled = $Enabled
                UseAuthServer = $false
                AcceptSecurityIdentifierInformation = $AcceptSecurityIdentifierInformation
                LinkedAccount = "$((Get-ExchangeDomain).Name)/Users/$LinkedAccount"
                CertificateStrings = $certificates
            })
    }
    Exit-LabCall -Name 'New-PartnerApplication'
}

function Remove-PartnerApplication {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param ([Parameter(Mandatory = $true)] [string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Remove-PartnerApplication'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Remove-ExchangeObject -List 'applications' -Identity $Identity
    }
    Exit-LabCall -Name 'Remove-PartnerApplication'
}

function Get-AcceptedDomain {
    [CmdletBinding()]
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Get-AcceptedDomain'
    foreach ($one in @((Read-LabState).exchange.acceptedDomains)) {
        $usual = [ordered] @{ DomainType = 'Authoritative'; MatchSubDomains = $false; IsValid = $true }
        $answer = Join-ExchangeFact -Usual $usual -Otherwise $one
        New-ExchangeAnswer -Kind 'AcceptedDomain' -Values $answer -DomainController $DomainController
    }
    Exit-LabCall -Name 'Get-AcceptedDomain'
}

function Get-User {
    # Without -ResultSize Unlimited the first thousand, as the real cmdlet answers.
    [CmdletBinding()]
    param ([string] $Identity, [string] $Filter, [string] $ResultSize, [string] $DomainController)

    Enter-LabCall -Name 'Get-User'
    $list = @((Read-LabState).exchange.users)
    if ($Filter -match "^Name -(eq|like) '([^']*)'$") {
        $wanted = $Matches[2]
        $list = @($list | Where-Object -FilterScript { $_.Name -like $wanted })
    } elseif ($Filter) {
        throw "Invalid filter syntax: $Filter"
    }
    if ($ResultSize -ne 'Unlimited') {
        $list = @($list | Select-Object -First 1000)
    }
    foreach ($one in $list) {
        New-ExchangeAnswer -Kind 'User' -Values $one -DomainController $DomainController
    }
    Exit-LabCall -Name 'Get-User'
}

function Get-MailUser {
    [CmdletBinding()]
    param ([string] $Identity, [string] $Filter, [string] $ResultSize, [string] $DomainController)

    Enter-LabCall -Name 'Get-MailUser'
    $list = @((Read-LabState).exchange.users | Where-Object -FilterScript {
            $_.RecipientType -eq 'MailUser' -and (-not $Identity -or $_.Name -eq $Identity) })
    if ($ResultSize -ne 'Unlimited') {
        $list = @($list | Select-Object -First 1000)
    }
    foreach ($one in $list) {
        New-ExchangeAnswer -Kind 'User' -Values $one -DomainController $DomainController
    }
    Exit-LabCall -Name 'Get-MailUser'
}

function New-MailUser {
    # The address must be an SMTP address: the name of an accepted domain need not be one.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $ExternalEmailAddress, [string] $DomainController
    )

    Enter-LabCall -Name 'New-MailUser'
    if ($ExternalEmailAddress -notmatch '@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$') {
        throw "Error converting value '$ExternalEmailAddress' to type 'ProxyAddress'."
    }
    $twin = @((Read-LabState).exchange.users | Where-Object -FilterScript { $_.Name -eq $Name })
    if ($twin.Count -gt 0) {
        throw "The name '$Name' is already being used."
    }
    if (Get-LabFlag -Name 'noisy') {
        Write-Error -Message 'The address list will be updated later.'
    }
    Add-ExchangeObject -List 'users' -Properties ([ordered] @{
            Name = $Name
            RecipientType = 'MailUser'
            ExternalEmailAddress = $ExternalEmailAddress
            Hidden = $false
        })
    Exit-LabCall -Name 'New-MailUser'
}

function Set-MailUser {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Mandatory = $true)] [string] $Identity, [bool] $HiddenFromAddressListsEnabled,
        [string] $DomainController
    )

    Enter-LabCall -Name 'Set-MailUser'
    $state = Read-LabState
    foreach ($user in $state.exchange.users) {
        if ($user.Name -eq $Identity -or $user.Guid -eq $Identity) {
            $user.Hidden = $HiddenFromAddressListsEnabled
        }
    }
    Write-LabState -State $state
    Exit-LabCall -Name 'Set-MailUser'
}

function Remove-MailUser {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param ([Parameter(Mandatory = $true)] [string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Remove-MailUser'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Remove-ExchangeObject -List 'users' -Identity $Identity
    }
    Exit-LabCall -Name 'Remove-MailUser'
}

function Get-ManagementRoleAssignment {
    # Without -AssignmentMethod those that come through a group are answered as well.
    [CmdletBinding()]
    param (
        [string] $RoleAssignee, [string] $Role, [string[]] $AssignmentMethod,
        [string] $DomainController
    )

    Enter-LabCall -Name 'Get-ManagementRoleAssignment'
    $state = Read-LabState
    $users = @($state.exchange.users | ForEach-Object -Process { $_.Name })
    if ($RoleAssignee -and $users -notcontains $RoleAssignee) {
        Write-Error -Message "Couldn't find object '$RoleAssignee'."
    }
    foreach ($one in @($state.exchange.roleAssignments)) {
        if ((-not $RoleAssignee -or $one.RoleAssigneeName -eq $RoleAssignee) -and
            (-not $Role -or $one.Role -eq $Role) -and (-not $AssignmentMethod -or $AssignmentMethod -contains $one.AssignmentMethod)) {
            New-ExchangeAnswer -Kind 'RoleAssignment' -Values $one -DomainController $DomainController
        }
    }
    Exit-LabCall -Name 'Get-ManagementRoleAssignment'
}

function New-ManagementRoleAssignment {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Mandatory = $true)] [string] $Role,
        [Parameter(Mandatory = $true)] [string] $User, [string] $DomainController
    )

    Enter-LabCall -Name 'New-ManagementRoleAssignment'
    Add-ExchangeObject -List 'roleAssignments' -Properties ([ordered] @{
            Name = "$Role-$User"
            Role = $Role
            RoleAssigneeName = $User
            AssignmentMethod = 'Direct'
        })
    Exit-LabCall -Name 'New-ManagementRoleAssignment'
}

function Remove-ManagementRoleAssignment {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param ([Parameter(Mandatory = $true)] [string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Remove-ManagementRoleAssignment'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Remove-ExchangeObject -List 'roleAssignments' -Identity $Identity
    }
    Exit-LabCall -Name 'Remove-ManagementRoleAssignment'
}

function Get-AuthConfig {
    [CmdletBinding()]
    param ([string] $DomainController)

    Enter-LabCall -Name 'Get-AuthConfig'
    $usual = [ordered] @{
        CurrentCertificateThumbprint = $script:Thumbprint; PreviousCertificateThumbprint = ''
        NextCertificateThumbprint = ''; ServiceName = '00000002-0000-0ff1-ce00-000000000000'
        Realm = ''; Name = 'Auth Configuration'; Identity = 'Auth Configuration'; IsValid = $true
    }
    $config = Join-ExchangeFact -Usual $usual -Otherwise (Get-ExchangeFact -Name 'authConfig')
    New-ExchangeAnswer -Kind 'AuthConfig' -Values $config -DomainController $DomainController
    Exit-LabCall -Name 'Get-AuthConfig'
}

function Get-ExchangeCertificate {
    # Through the shell there is the raw data of each certificate, and nothing else.
    [CmdletBinding()]
    param ([string] $Server, [string] $Thumbprint, [string] $DomainController)

    Enter-LabCall -Name 'Get-ExchangeCertificate'
    $text = [System.IO.File]::ReadAllText("$env:LAB_ROOT/exchange/auth-certificate.txt").Trim()
    [pscustomobject] @{ RawData = [System.Convert]::FromBase64String($text) }
    Exit-LabCall -Name 'Get-ExchangeCertificate'
}

function Get-ChildItem {
    # The certificate store of this server.
    [CmdletBinding()]
    param ([string] $LiteralPath)

    Enter-LabCall -Name 'Get-ChildItem'
    if ($LiteralPath -ne 'Cert:\LocalMachine\My') {
        throw "Cannot find path '$LiteralPath'."
    }
    $usual = [pscustomobject] @{
        Thumbprint = $script:Thumbprint; NotAfter = '2031-01-01T00:00:00Z'; HasPrivateKey = $true
        Subject = 'CN=Microsoft Exchange Server Auth Certificate'
    }
    foreach ($one in @(Get-ExchangeFact -Name 'certificates' -Usual @($usual))) {
        [pscustomobject] @{
            Thumbprint = $one.Thumbprint; HasPrivateKey = $one.HasPrivateKey; Subject = $one.Subject
            NotAfter = ([datetime] $one.NotAfter).ToLocalTime()
        }
    }
    Exit-LabCall -Name 'Get-ChildItem'
}

function Get-LabVirtualDirectory {
    param ([string] $Name, [string] $Word, [string] $Server)

    if (@(Get-ExchangeFact -Name 'noDirectories') -notcontains $Word) {
        $off = @(Get-ExchangeFact -Name 'oauthOff') -contains $Word
        $usual = [pscustomobject] @{
            Name = "$Name (Default Web Site)"; Identity = "$Server\$Name (Default Web Site)"
            Server = $Server; OAuthAuthentication = -not $off; WindowsAuthentication = $true
            InternalUrl = "https://$Server/$Name"; IsValid = $true
        }
        New-ExchangeAnswer -Kind 'VirtualDirectory' -Values $usual
    }
}

function Get-WebServicesVirtualDirectory {
    [CmdletBinding()]
    param ([string] $Identity, [string] $Server, [switch] $ADPropertiesOnly, [string] $DomainController)

    Enter-LabCall -Name 'Get-WebServicesVirtualDirectory'
    Get-LabVirtualDirectory -Name 'EWS' -Word 'EWS' -Server $Server
    Exit-LabCall -Name 'Get-WebServicesVirtualDirectory'
}

function Get-AutodiscoverVirtualDirectory {
    [CmdletBinding()]
    param ([string] $Identity, [string] $Server, [switch] $ADPropertiesOnly, [string] $DomainController)

    Enter-LabCall -Name 'Get-AutodiscoverVirtualDirectory'
    Get-LabVirtualDirectory -Name 'Autodiscover' -Word 'Autodiscover' -Server $Server
    Exit-LabCall -Name 'Get-AutodiscoverVirtualDirectory'
}

function Get-LabClientAccess {
    param ([string] $Identity, [string] $DomainController)

    Assert-ExchangeController -Name $DomainController
    $facts = Get-LabHost -Name $Identity
    if ($null -eq $facts -or $facts.product -ne 'exchange') {
        Write-Error -Message "Couldn't find object '$Identity'."
        return
    }
    $uris = Get-ExchangeFact -Name 'internalUris'
    $uri = Get-LabField -Object $uris -Name $Identity
    if ($null -eq $uris) {
        $uri = "https://autodiscover.$($facts.domain)/Autodiscover/Autodiscover.xml"
    }
    if ($DomainController -like 'DC02.*' -and (Get-LabFlag -Name 'behind')) {
        $uri = $null
    }
    $values = [pscustomobject] @{
        Name = $Identity; Fqdn = Get-LabFullName -Name $Identity -Facts $facts; AutoDiscoverServiceInternalUri = $uri
        AutoDiscoverServiceCN = $Identity; Identity = $Identity; IsValid = $true
    }
    New-ExchangeAnswer -Kind 'ClientAccessService' -Values $values -DomainController $DomainController
}

function Set-LabClientAccess {
    param ([string] $Identity, [object] $Uri)

    $state = Read-LabState
    if ($null -eq (Get-LabField -Object $state.exchange -Name 'internalUris')) {
        $state.exchange | Add-Member -MemberType 'NoteProperty' -Name 'internalUris' -Value ([pscustomobject] @{})
    }
    $state.exchange.internalUris | Add-Member -Force -MemberType 'NoteProperty' -Name $Identity -Value $Uri
    Write-LabState -State $state
}

function Get-ClientAccessService {
    [CmdletBinding()]
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Get-ClientAccessService'
    Get-LabClientAccess -Identity $Identity -DomainController $DomainController
    Exit-LabCall -Name 'Get-ClientAccessService'
}

function Get-ClientAccessServer {
    [CmdletBinding()]
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Get-ClientAccessServer'
    Get-LabClientAccess -Identity $Identity -DomainController $DomainController
    Exit-LabCall -Name 'Get-ClientAccessServer'
}

function Set-ClientAccessService {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Mandatory = $true)] [string] $Identity, [uri] $AutoDiscoverServiceInternalUri,
        [string] $DomainController
    )

    Enter-LabCall -Name 'Set-ClientAccessService'
    Set-LabClientAccess -Identity $Identity -Uri ([string] $AutoDiscoverServiceInternalUri)
    Exit-LabCall -Name 'Set-ClientAccessService'
}

function Set-ClientAccessServer {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [Parameter(Mandatory = $true)] [string] $Identity, [uri] $AutoDiscoverServiceInternalUri,
        [string] $DomainController
    )

    Enter-LabCall -Name 'Set-ClientAccessServer'
    Set-LabClientAccess -Identity $Identity -Uri ([string] $AutoDiscoverServiceInternalUri)
    Exit-LabCall -Name 'Set-ClientAccessServer'
}

Export-ModuleMember -Function 'Get-ExchangeServer', '*-PartnerApplication', 'Get-AcceptedDomain',
'Get-User', '*-MailUser', '*-ManagementRoleAssignment', 'Get-AuthConfig', 'Get-ExchangeCertificate',
'Get-ChildItem', 'Get-*VirtualDirectory', '*-ClientAccessServ*'
