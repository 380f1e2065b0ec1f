# What every stand-in shares: the counted call with its fault, the state file and the clock.

$script:Calls = 0
$script:Open = New-Object -TypeName System.Collections.ArrayList
$script:Slept = 0
$script:Sleeps = 0
$script:Looks = 0

function Invoke-LabFault {
    # LAB_FAIL and LAB_KILL are '<number of the call>:before' or '...:after'.
    param ([int] $Number, [string] $Place, [string] $Name)

    $here = '{0}:{1}' -f $Number, $Place
    if ($env:LAB_FAIL -eq $here) {
        throw "Lab: fault $Place $Name"
    }
    if ($env:LAB_KILL -eq $here) {
        [System.Diagnostics.Process]::GetCurrentProcess().Kill()
        [System.Threading.Thread]::Sleep(5000)
    }
}

function Enter-LabCall {
    # The first words of every stand-in: the call is counted and logged.
    param ([string] $Name)

    $script:Calls += 1
    $null = $script:Open.Add(@{ Name = $Name; Number = $script:Calls })
    [System.IO.File]::AppendAllText("$env:LAB_DIR/calls.log", "$Name`n")
    Invoke-LabFault -Number $script:Calls -Place 'before' -Name $Name
    if ($env:LAB_HOOK -and $env:LAB_HOOK.StartsWith("$Name=")) {
        # A colleague at work: after the named call the state file is replaced by another.
        [System.IO.File]::Copy($env:LAB_HOOK.Split('=')[1], "$env:LAB_DIR/state.json", $true)
        $env:LAB_HOOK = ''
    }
}

function Exit-LabCall {
    # The last words of every stand-in; those that it called itself have ended before.
    param ([string] $Name)

    for ($at = $script:Open.Count - 1; $at -ge 0; $at -= 1) {
        $call = $script:Open[$at]
        $script:Open.RemoveAt($at)
        if ($call.Name -eq $Name) {
            Invoke-LabFault -Number $call.Number -Place 'after' -Name $Name
            return
        }
    }
}

function Read-LabState {
    $state = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$env:LAB_DIR/state.json"))
    if ([System.IO.File]::Exists("$env:LAB_DIR/iisreset")) {
        Complete-LabRestart -State $state
    }
    $state
}

function Complete-LabRestart {
    # What iisreset.exe did becomes part of the state.
    param ([object] $State)

    $file = "$env:LAB_DIR/iisreset"
    $name, $running, $at = [System.IO.File]::ReadAllText($file).Split(' ')
    $iis = (Get-LabHost -Name $name -State $State).iis
    $iis.running = $running -eq 'true'
    if ($iis.running) {
        $iis.restarted = $true
        $iis.started = $at
    }
    Write-LabState -State $State
    [System.IO.File]::Delete($file)
}

function Write-LabState {
    param ([object] $State)

    $text = ConvertTo-Json -InputObject $State -Depth 12
    [System.IO.File]::WriteAllText("$env:LAB_DIR/state.json", $text)
}

function Get-LabField {
    # A field that may be missing.
    param ([object] $Object, [string] $Name)

    if ($null -ne $Object) {
        $property = $Object.PSObject.Properties[$Name]
        if ($property) {
            $property.Value
        }
    }
}

function Get-LabHost {
    # The facts of this host, or of a named one: hosts.<NETBIOS> of the state.
    param ([string] $Name = $env:COMPUTERNAME, [object] $State = (Read-LabState))

    Get-LabField -Object $State.hosts -Name $Name
}

function Get-LabFullName {
    # The DNS name of a host: `fqdn` of its facts where that is not below its AD domain.
    param ([string] $Name, [object] $Facts)

    $own = [string] (Get-LabField -Object $Facts -Name 'fqdn')
    if (-not $own) {
        $own = "$Name.$($Facts.domain)"
    }
    $own
}

function Test-LabRestarted {
    # Whether IIS was restarted on every server of a product.
    param ([string] $Product = 'exchange', [object] $State = (Read-LabState))

    $waiting = @($State.hosts.PSObject.Properties | Where-Object -FilterScript {
            $_.Value.product -eq $Product -and -not $_.Value.iis.restarted })
    $waiting.Count -eq 0
}

function Get-LabFlag {
    # A scenario switch: LAB_FLAGS is a list of words.
    param ([string] $Name)

    "$env:LAB_FLAGS".Split(' ') -contains $Name
}

function Get-Date {
    # Every run of a test sees the same times: the clock goes on by a millisecond with each look
    # at it, by what the run sleeps, and by the seconds in the file `passed`, which the test writes.
    [CmdletBinding()]
    param ()

    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    $start = [System.DateTimeOffset]::Parse($env:LAB_NOW, $culture).LocalDateTime
    # With the flag, a test knows every time stamp beforehand.
    if (-not (Get-LabFlag -Name 'still')) {
        $script:Looks += 1
    }
    $passed = 0
    if ([System.IO.File]::Exists("$env:LAB_DIR/passed")) {
        $passed = [int] [System.IO.File]::ReadAllText("$env:LAB_DIR/passed")
    }
    $start.AddSeconds($script:Slept + $passed).AddMilliseconds($script:Looks)
}

function Start-Sleep {
    # Time passes at once; the next run begins later by that much.
    [CmdletBinding()]
    param ([int] $Seconds)

    $script:Sleeps += 1
    if ($env:LAB_WAKE -and [int] $env:LAB_WAKE -eq $script:Sleeps) {
        throw 'Lab: the wait was interrupted'
    }
    $script:Slept += $Seconds
    [System.IO.File]::WriteAllText("$env:LAB_DIR/slept", $script:Slept)
}

Export-ModuleMember -Function '*'
