# The Skype for Business module; its configuration objects have no Guid, as the real ones.

function Get-CsManagementConnection {
    [CmdletBinding()]
    param ()

    Enter-LabCall -Name 'Get-CsManagementConnection'
    [pscustomobject] @{ StoreProvider = 'Sql' }
    Exit-LabCall -Name 'Get-CsManagementConnection'
}

function Get-CsOAuthConfiguration {
    [CmdletBinding()]
    param ([string] $Identity, [switch] $LocalStore)

    Enter-LabCall -Name 'Get-CsOAuthConfiguration'
    (Read-LabState).skype.oauth
    Exit-LabCall -Name 'Get-CsOAuthConfiguration'
}

function Set-CsOAuthConfiguration {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param ([string] $Identity, [string] $ExchangeAutodiscoverUrl)

    Enter-LabCall -Name 'Set-CsOAuthConfiguration'
    if ($PSCmdlet.ShouldProcess('global')) {
        $state = Read-LabState
        $state.skype.oauth.ExchangeAutodiscoverUrl = $ExchangeAutodiscoverUrl
        Write-LabState -State $state
    }
    Exit-LabCall -Name 'Set-CsOAuthConfiguration'
}

function Get-CsPartnerApplication {
    # With the flag 'slow' a new application shows only after a minute of waiting.
    [CmdletBinding()]
    param ([string] $Identity, [switch] $LocalStore)

    Enter-LabCall -Name 'Get-CsPartnerApplication'
    $list = @((Read-LabState).skype.applications)
    if ($env:LAB_SLOW -and (Get-Date).ToUniversalTime() -lt
        ([datetimeoffset] $env:LAB_SLOW).UtcDateTime) {
        $list = @()
    }
    $list
    Exit-LabCall -Name 'Get-CsPartnerApplication'
}

function New-CsPartnerApplication {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param ([string] $Identity, [string] $ApplicationTrustLevel, [string] $MetadataUrl)

    Enter-LabCall -Name 'New-CsPartnerApplication'
    $state = Read-LabState
    if (@($state.skype.applications | Where-Object { $_.Identity -eq $Identity }).Count -gt 0) {
        throw "'$Identity' exists already."
    }
    if ($PSCmdlet.ShouldProcess($Identity)) {
        $state.skype.applications = @($state.skype.applications) + [pscustomobject] @{
            Identity = $Identity
            ApplicationIdentifier = '00000002-0000-0ff1-ce00-000000000000'
            AuthToken = "Value=$MetadataUrl"
            ApplicationTrustLevel = $ApplicationTrustLevel
            Enabled = $true
        }
        Write-LabState -State $state
    }
    Exit-LabCall -Name 'New-CsPartnerApplication'
}

function Remove-CsPartnerApplication {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param ([string] $Identity)

    Enter-LabCall -Name 'Remove-CsPartnerApplication'
    if ($PSCmdlet.ShouldProcess($Identity)) {
        $state = Read-LabState
        $state.skype.applications = @($state.skype.applications | Where-Object -FilterScript {
                $_.Identity -ne $Identity })
        Write-LabState -State $state
    }
    Exit-LabCall -Name 'Remove-CsPartnerApplication'
}

function Get-CsUserServicesPolicy {
    [CmdletBinding()]
    param ()

    Enter-LabCall -Name 'Get-CsUserServicesPolicy'
    (Read-LabState).skype.policies
    Exit-LabCall -Name 'Get-CsUserServicesPolicy'
}

function Debug-CsUnifiedContactStore {
    [CmdletBinding()]
    param ([string] $PoolFqdn)

    Enter-LabCall -Name 'Debug-CsUnifiedContactStore'
    (Read-LabState).skype.contactStore
    Exit-LabCall -Name 'Debug-CsUnifiedContactStore'
}

function Export-CsConfiguration {
    [CmdletBinding()]
    param ([string] $FileName)

    Enter-LabCall -Name 'Export-CsConfiguration'
    [System.IO.File]::WriteAllText($FileName, 'zip')
    Exit-LabCall -Name 'Export-CsConfiguration'
}

function Test-CsExStorageConnectivity {
    [CmdletBinding()]
    param ([string] $SipUri, [switch] $DeleteItem)

    Enter-LabCall -Name 'Test-CsExStorageConnectivity'
    $state = Read-LabState
    $here = @($state.skype.applications).Count -gt 0
    $there = @($state.exchange.applications | Where-Object { $_.AuthMetadataUrl }).Count -gt 0
    if (Get-LabFlag -Name 'silent') {
        return
    }
    if ($here -and $there -and (Test-LabRestarted -State $state)) {
        'Test Passed.'
    } else {
        throw '(401) Unauthorized'
    }
    Exit-LabCall -Name 'Test-CsExStorageConnectivity'
}

Export-ModuleMember -Function '*-Cs*'
