# Facts about a Windows server: registry, services, signatures, rights of folders, the network.
# They stand in state.json under hosts.<NETBIOS>, those of the network under web and dns.

function Get-CimInstance {
    [CmdletBinding()]
    param ([string] $ClassName, [string] $Filter)

    Enter-LabCall -Name 'Get-CimInstance'
    $facts = Get-LabHost
    if ($ClassName -eq 'Win32_ComputerSystem') {
        $domain = Get-LabField -Object $facts -Name 'domain'
        if ($env:LAB_DOMAIN) {
            $domain = $env:LAB_DOMAIN
        }
        [pscustomobject] @{ Name = $env:COMPUTERNAME; Domain = $domain }
    } elseif ($ClassName -eq 'Win32_OperatingSystem') {
        [pscustomobject] @{ Version = '10.0.14393'; ProductType = 3 }
    } else {
        $state = 'Running'
        if (-not $facts.iis.running) {
            $state = 'Stopped'
        }
        $name = [string] $Filter -replace "^.*'([^']*)'.*$", '$1'
        [pscustomobject] @{ Name = $name; State = $state; ProcessId = 4711; StartMode = 'Auto' }
    }
    Exit-LabCall -Name 'Get-CimInstance'
}

function Get-Process {
    # The process of the web server's service: it started with the last restart.
    [CmdletBinding()]
    param ([int] $Id)

    Enter-LabCall -Name 'Get-Process'
    $started = ([datetime] (Get-LabHost).iis.started).ToLocalTime()
    [pscustomobject] @{ Id = $Id; StartTime = $started }
    Exit-LabCall -Name 'Get-Process'
}

function Start-Service {
    [CmdletBinding()]
    param ([string] $Name)

    Enter-LabCall -Name 'Start-Service'
    $state = Read-LabState
    $facts = Get-LabHost -State $state
    if (-not $facts.iis.running) {
        $facts.iis.running = $true
        $facts.iis.started = (Get-Date).ToUniversalTime().ToString('o')
        Write-LabState -State $state
    }
    Exit-LabCall -Name 'Start-Service'
}

function Get-Variable {
    # The one automatic variable that a test bench on another edition must answer itself.
    [CmdletBinding()]
    param ([string] $Name, [switch] $ValueOnly)

    $version = '5.1.14393.1'
    if ($env:LAB_PSVERSION) {
        $version = $env:LAB_PSVERSION
    }
    $edition = @{ PSVersion = [version] $version }
    if (([version] $version).Minor -gt 0) {
        $edition.PSEdition = 'Desktop'
    }
    $edition
}

function Get-ItemProperty {
    # Registry keys only: hosts.<NETBIOS>.registry of the state.
    [CmdletBinding()]
    param ([string] $LiteralPath, [string[]] $Name)

    Enter-LabCall -Name 'Get-ItemProperty'
    $key = Get-LabField -Object (Get-LabHost).registry -Name $LiteralPath
    if ($key) {
        $key
    } else {
        Write-Error -Message "Cannot find path '$LiteralPath' because it does not exist."
    }
    Exit-LabCall -Name 'Get-ItemProperty'
}

function Get-ExecutionPolicy {
    # The policy that a domain enforces; everything else is what the command line asked for.
    [CmdletBinding()]
    param ([string] $Scope, [switch] $List)

    Enter-LabCall -Name 'Get-ExecutionPolicy'
    $enforced = [string] (Get-LabHost).policy
    if ($List) {
        foreach ($one in 'MachinePolicy', 'UserPolicy', 'Process', 'CurrentUser', 'LocalMachine') {
            $policy = @{ MachinePolicy = $enforced; Process = 'RemoteSigned' }[$one]
            if (-not $policy) {
                $policy = 'Undefined'
            }
            [pscustomobject] @{ Scope = $one; ExecutionPolicy = $policy }
        }
    } elseif ($Scope -eq 'MachinePolicy') {
        $enforced
    } elseif ($Scope -eq 'Process') {
        'RemoteSigned'
    } elseif ($Scope) {
        'Undefined'
    } else {
        @($enforced, 'RemoteSigned')[[int] ($enforced -eq 'Undefined')]
    }
    Exit-LabCall -Name 'Get-ExecutionPolicy'
}

function Get-WindowsFeature {
    [CmdletBinding()]
    param ([string[]] $Name)

    Enter-LabCall -Name 'Get-WindowsFeature'
    foreach ($one in $Name) {
        $here = @((Get-LabHost).features) -contains $one
        $word = @('Available', 'Installed')[[int] $here]
        [pscustomobject] @{ Name = $one; Installed = $here; InstallState = $word }
    }
    Exit-LabCall -Name 'Get-WindowsFeature'
}

function Get-Acl {
    # LAB_OWNER names the end of one path that somebody else owns.
    [CmdletBinding()]
    param ([string] $LiteralPath)

    Enter-LabCall -Name 'Get-Acl'
    $owner = 'BA'
    if ($env:LAB_OWNER -and $LiteralPath.EndsWith($env:LAB_OWNER)) {
        $owner = 'S-1-5-21-1-2-3-1105'
    }
    # Only icacls.exe gives a folder its closed rights; before that it inherits. Explorer gives
    # whoever opens a folder with it an entry of its own (KB 950934).
    $log = "$env:LAB_DIR/icacls.log"
    $short = $LiteralPath.Replace("$env:LAB_DIR/", '')
    $inherited = 'D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)'
    $rights = $inherited
    if ([System.IO.File]::Exists($log)) {
        foreach ($line in [System.IO.File]::ReadAllLines($log)) {
            if ($line.StartsWith("$short /reset")) {
                $rights = $inherited
            } elseif ($line.StartsWith("$short /inheritance:r")) {
                $rights = 'D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)'
            } elseif ($line.StartsWith("$short explorer")) {
                $rights += '(A;OICI;0x1200a9;;;S-1-5-21-1-2-3-1106)'
            }
        }
    }
    if ($rights -ne $inherited -and (Get-LabFlag -Name 'open-folder')) {
        $rights += '(A;OICI;0x1301bf;;;BU)'
    }
    [pscustomobject] @{ Sddl = "O:${owner}G:S-1-5-21-1-2-3-513$rights" }
    Exit-LabCall -Name 'Get-Acl'
}

function Get-AuthenticodeSignature {
    # LAB_SIGNATURE is '<status>' or '<status>|<subject>', LAB_SIGNED the end of the path meant.
    [CmdletBinding()]
    param ([string] $LiteralPath)

    Enter-LabCall -Name 'Get-AuthenticodeSignature'
    $status = 'Valid'
    $subject = 'CN=Microsoft Corporation, OU=MOPR, O=Microsoft Corporation, C=US'
    if ($env:LAB_SIGNATURE -and $LiteralPath.EndsWith("$env:LAB_SIGNED")) {
        $status, $other = $env:LAB_SIGNATURE.Split('|')
        if ($other) {
            $subject = [string] $other
        }
    }
    $thumbprint = 'AB' * 20
    # The key `signer` says who signed what lies below a folder: the scripts of a change.
    $signer = Get-LabField -Object (Read-LabState) -Name 'signer'
    if ($signer -and $LiteralPath.StartsWith($signer.folder)) {
        $subject, $thumbprint = $signer.subject, $signer.thumbprint
    }
    $certificate = $null
    if ($status -ne 'NotSigned') {
        $certificate = [pscustomobject] @{ Subject = $subject; Thumbprint = $thumbprint }
    }
    [pscustomobject] @{
        Path = $LiteralPath; Status = $status; StatusMessage = ''; SignerCertificate = $certificate
    }
    Exit-LabCall -Name 'Get-AuthenticodeSignature'
}

function Resolve-DnsName {
    [CmdletBinding()]
    param ([string] $Name, [string] $Type, [switch] $DnsOnly)

    Enter-LabCall -Name 'Resolve-DnsName'
    $state = Read-LabState
    $found = Get-LabField -Object (Get-LabHost -State $state).dns -Name $Name
    if (-not $found) {
        $found = Get-LabField -Object $state.dns -Name $Name
    }
    if (-not $found) {
        Write-Error -Message "$Name : DNS name does not exist" -ErrorId 'DNS_ERROR_RCODE_NAME_ERROR'
    }
    foreach ($address in @($found)) {
        [pscustomobject] @{ Name = $Name; Type = 'A'; IPAddress = $address }
    }
    Exit-LabCall -Name 'Resolve-DnsName'
}

function Get-LabWebAnswer {
    # hosts.<NETBIOS>.web is this host's own view, web what everybody sees. An answer is status,
    # headers and body, or failure and message, or 'from': a script that makes it of the state.
    param ([string] $Url)

    $state = Read-LabState
    $answer = Get-LabField -Object (Get-LabField -Object (Get-LabHost -State $state) -Name 'web') -Name $Url
    if (-not $answer) {
        $answer = Get-LabField -Object $state.web -Name $Url
    }
    if ($answer -and $answer.PSObject.Properties['from']) {
        $answer = & "$env:LAB_ROOT/$($answer.from)" -Url $Url -State $state
    }
    if (-not $answer) {
        $answer = [pscustomobject] @{ failure = 'NameResolutionFailure' }
    }
    $answer
}

function Invoke-WebRequest {
    # Fails as Windows PowerShell 5.1 does, with WebException.
    [CmdletBinding()]
    param (
        [uri] $Uri, [switch] $UseBasicParsing, [int] $TimeoutSec, [string] $Method = 'Get',
        [System.Collections.IDictionary] $Headers, [int] $MaximumRedirection,
        [switch] $UseDefaultCredentials
    )

    Enter-LabCall -Name 'Invoke-WebRequest'
    $answer = Get-LabWebAnswer -Url $Uri.AbsoluteUri
    $failure = Get-LabField -Object $answer -Name 'failure'
    if ($failure) {
        $message = "The remote name could not be resolved: '$($Uri.Host)'"
        $inner = $null
        if ($failure -eq 'TrustFailure') {
            $message = 'The underlying connection was closed: Could not establish trust ' +
            'relationship for the SSL/TLS secure channel.'
            $inner = New-Object -TypeName System.Security.Authentication.AuthenticationException (
                'The remote certificate is invalid according to the validation procedure.')
        } elseif ($failure -ne 'NameResolutionFailure') {
            $message = "The request failed: $failure"
        }
        throw (New-Object -TypeName System.Net.WebException -ArgumentList $message, $inner,
            ([System.Net.WebExceptionStatus] $failure), $null)
    }
    $response = & "$PSScriptRoot/WebResponse.ps1" -Answer $answer
    if (-not $response.Headers['Date']) {
        # 'behind' is by how many seconds the clock of the answering server is late.
        $late = [int] (Get-LabField -Object $answer -Name 'behind')
        $at = (Get-Date).ToUniversalTime().AddSeconds(-$late)
        $response.Headers.Add('Date', $at.ToString('r'))
    }
    if ($answer.status -ge 400) {
        $message = "The remote server returned an error: ($($answer.status))."
        throw (New-Object -TypeName System.Net.WebException -ArgumentList $message, $null,
            ([System.Net.WebExceptionStatus]::ProtocolError), $response)
    }
    [pscustomobject] @{
        StatusCode = $answer.status
        Content = [string] (Get-LabField -Object $answer -Name 'body')
        BaseResponse = $response
    }
    Exit-LabCall -Name 'Invoke-WebRequest'
}

Export-ModuleMember -Function 'Get-CimInstance', 'Get-Process', 'Start-Service', 'Get-Variable',
'Get-ItemProperty', 'Get-ExecutionPolicy', 'Get-WindowsFeature', 'Get-Acl',
'Get-AuthenticodeSignature', 'Resolve-DnsName', 'Invoke-WebRequest'
