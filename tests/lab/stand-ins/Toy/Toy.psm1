# A product of two values, a list and objects with a Guid: small enough to try the engine alone.

function Get-ToyValue {
    # LAB_SLOW: until then the text shows as nothing, as where changes replicate.
    [CmdletBinding()]
    param ([string] $Name)

    Enter-LabCall -Name 'Get-ToyValue'
    if (Get-LabFlag -Name 'dead-shell') {
        throw 'The store is closed.'
    }
    $value = (Read-LabState).toy.$Name
    if ($Name -eq 'text' -and $env:LAB_SLOW -and (Get-Date).ToUniversalTime() -lt
        ([datetimeoffset] $env:LAB_SLOW).UtcDateTime) {
        $value = ''
    }
    if ($value -is [array]) {
        # Lists arrive from a shell as ArrayList, which is no [array].
        $value = [System.Collections.ArrayList] $value
    }
    , $value
    Exit-LabCall -Name 'Get-ToyValue'
}

function Set-ToyValue {
    [CmdletBinding()]
    param ([string] $Name, [object] $Value)

    Enter-LabCall -Name 'Set-ToyValue'
    if (Get-LabFlag -Name 'noisy') {
        Write-Error -Message 'The list will be updated later.'
    }
    $state = Read-LabState
    $state.toy.$Name = $Value
    Write-LabState -State $state
    Exit-LabCall -Name 'Set-ToyValue'
}

function Get-ToyObject {
    [CmdletBinding()]
    param ()

    Enter-LabCall -Name 'Get-ToyObject'
    (Read-LabState).toy.objects
    Exit-LabCall -Name 'Get-ToyObject'
}

function New-ToyObject {
    [CmdletBinding()]
    param ([string] $Name)

    Enter-LabCall -Name 'New-ToyObject'
    $state = Read-LabState
    $new = [pscustomobject] @{ Guid = [System.Guid]::NewGuid().ToString(); Name = $Name }
    $state.toy.objects = @($state.toy.objects) + $new
    Write-LabState -State $state
    'The object was made.'
    Exit-LabCall -Name 'New-ToyObject'
}

function Remove-ToyObject {
    [CmdletBinding()]
    param ([string] $Identity)

    Enter-LabCall -Name 'Remove-ToyObject'
    $state = Read-LabState
    $state.toy.objects = @($state.toy.objects | Where-Object -FilterScript {
            $_.Guid -ne $Identity })
    Write-LabState -State $state
    Exit-LabCall -Name 'Remove-ToyObject'
}

Export-ModuleMember -Function '*-Toy*'
