# The Exchange Management Shell: bounded lists, random Guids, a second domain controller.

function Add-ExchangeObject {
    # Every directory object gets its own Guid, as in Active Directory.
    param ([string] $List, [System.Collections.IDictionary] $Properties)

    $state = Read-LabState
    $new = [ordered] @{ Guid = [System.Guid]::NewGuid().ToString() }
    foreach ($name in $Properties.Keys) {
        $new[$name] = $Properties[$name]
    }
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
    param ([string] $Identity, [switch] $Status)

    Enter-LabCall -Name 'Get-ExchangeServer'
    $controllers = [System.Collections.ArrayList] @('DC01.litwareinc.com', 'DC02.litwareinc.com')
    if (Get-LabFlag -Name 'other-controller') {
        $controllers.Reverse()
    }
    [pscustomobject] @{ Name = $Identity; CurrentDomainControllers = $controllers }
    Exit-LabCall -Name 'Get-ExchangeServer'
}

function Get-PartnerApplication {
    [CmdletBinding()]
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Get-PartnerApplication'
    $state = Read-LabState
    $behind = $DomainController -eq 'DC02.litwareinc.com' -and (Get-LabFlag -Name 'behind')
    $list = @($state.exchange.applications | Where-Object -FilterScript {
            -not $behind -or [string] $_.UseAuthServer -eq 'True' })
    foreach ($one in $list) {
        # Lists arrive from the shell as ArrayList, which is no [array].
        $one.CertificateStrings = [System.Collections.ArrayList] @($one.CertificateStrings)
        $one
    }
    Exit-LabCall -Name 'Get-PartnerApplication'
}

function New-PartnerApplication {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param (
        [string] $Name, [string] $AuthMetadataUrl, [bool] $AcceptSecurityIdentifierInformation,
        [bool] $Enabled, [string] $LinkedAccount, [string] $DomainController
    )

    Enter-LabCall -Name 'New-PartnerApplication'
    $id = '00000004-0000-0ff1-ce00-000000000000'
    $twin = @((Read-LabState).exchange.applications | Where-Object -FilterScript {
            $_.ApplicationIdentifier -eq $id -and $_.AuthMetadataUrl })
    if ($twin.Count -gt 0) {
        throw 'ErrorDuplicatePartnerApplication'
    }
    if ($PSCmdlet.ShouldProcess($Name)) {
        Add-ExchangeObject -List 'applications' -Properties ([ordered] @{
                Name = $Name
                ApplicationIdentifier = $id
                AuthMetadataUrl = $AuthMetadataUrl
                Enabled = $Enabled
                UseAuthServer = $false
                AcceptSecurityIdentifierInformation = $AcceptSecurityIdentifierInformation
                LinkedAccount = "litwareinc.com/Users/$LinkedAccount"
                CertificateStrings = @('MIIC')
            })
    }
    Exit-LabCall -Name 'New-PartnerApplication'
}

function Remove-PartnerApplication {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Remove-PartnerApplication'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Remove-ExchangeObject -List 'applications' -Identity $Identity
    }
    Exit-LabCall -Name 'Remove-PartnerApplication'
}

function Get-AcceptedDomain {
    [CmdletBinding()]
    param ([string] $DomainController)

    Enter-LabCall -Name 'Get-AcceptedDomain'
    (Read-LabState).exchange.acceptedDomains
    Exit-LabCall -Name 'Get-AcceptedDomain'
}

function Get-LabUser {
    # Without -ResultSize Unlimited the first thousand, as the real cmdlets answer.
    param ([string] $Type, [string] $Filter, [string] $ResultSize)

    $list = @((Read-LabState).exchange.users)
    if ($Type) {
        $list = @($list | Where-Object -FilterScript { $_.RecipientType -eq $Type })
    }
    if ($Filter -match "^Name -(eq|like) '([^']*)'$") {
        $wanted = $Matches[2]
        $list = @($list | Where-Object -FilterScript { $_.Name -like $wanted })
    }
    if ($ResultSize -ne 'Unlimited') {
        $list = @($list | Select-Object -First 1000)
    }
    $list
}

function Get-User {
    [CmdletBinding()]
    param ([string] $Filter, [string] $ResultSize, [string] $DomainController)

    Enter-LabCall -Name 'Get-User'
    Get-LabUser -Filter $Filter -ResultSize $ResultSize
    Exit-LabCall -Name 'Get-User'
}

function New-MailUser {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param ([string] $Name, [string] $ExternalEmailAddress, [string] $DomainController)

    Enter-LabCall -Name 'New-MailUser'
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
    param ([string] $Identity, [bool] $HiddenFromAddressListsEnabled, [string] $DomainController)

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
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Remove-MailUser'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Remove-ExchangeObject -List 'users' -Identity $Identity
    }
    Exit-LabCall -Name 'Remove-MailUser'
}

function Get-ManagementRoleAssignment {
    [CmdletBinding()]
    param (
        [string] $RoleAssignee, [string] $Role, [string] $AssignmentMethod,
        [string] $DomainController
    )

    Enter-LabCall -Name 'Get-ManagementRoleAssignment'
    $state = Read-LabState
    if (-not @($state.exchange.users | Where-Object { $_.Name -eq $RoleAssignee }).Count) {
        Write-Error -Message "Couldn't find object '$RoleAssignee'."
    }
    $state.exchange.roleAssignments | Where-Object -FilterScript {
        $_.RoleAssigneeName -eq $RoleAssignee -and (-not $Role -or $_.Role -eq $Role) -and
        (-not $AssignmentMethod -or $_.AssignmentMethod -eq $AssignmentMethod)
    }
    Exit-LabCall -Name 'Get-ManagementRoleAssignment'
}

function New-ManagementRoleAssignment {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param ([string] $Role, [string] $User, [string] $DomainController)

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
    param ([string] $Identity, [string] $DomainController)

    Enter-LabCall -Name 'Remove-ManagementRoleAssignment'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        Remove-ExchangeObject -List 'roleAssignments' -Identity $Identity
    }
    Exit-LabCall -Name 'Remove-ManagementRoleAssignment'
}

Export-ModuleMember -Function '*-ExchangeServer', '*-PartnerApplication', '*-AcceptedDomain',
'*-User', '*-MailUser', '*-ManagementRoleAssignment'
