# Runs scripts one after the other in this process, each in a fresh runspace. What goes in and
# comes out stands in serving.py. One script at a time: the environment belongs to the process.

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module -Name "$PSScriptRoot/host.psm1"

# What belongs to the process and that a script could leave changed.
$shared = @(
    @{ Of = [Console]; Name = 'OutputEncoding' }
    @{ Of = [Console]; Name = 'InputEncoding' }
    @{ Of = [cultureinfo]; Name = 'DefaultThreadCurrentCulture' }
    @{ Of = [cultureinfo]; Name = 'DefaultThreadCurrentUICulture' }
    @{ Of = [System.Environment]; Name = 'ExitCode' }
    @{ Of = [System.Net.ServicePointManager]; Name = 'SecurityProtocol' }
    @{ Of = [System.Net.ServicePointManager]; Name = 'ServerCertificateValidationCallback' }
    @{ Of = [System.Net.WebRequest]; Name = 'DefaultWebProxy' }
)
foreach ($one in $shared) { $one.Value = ($one.Of)::($one.Name) }
$console = [Console]::In, [Console]::Out, [Console]::Error

$state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
$line = New-EventLine

function Read-Job ([string] $Text) {
    # Not ConvertFrom-Json: it makes a date of a text that looks like one.
    $root = [System.Text.Json.JsonDocument]::Parse($Text).RootElement
    $environment = @{}
    foreach ($one in $root.GetProperty('environment').EnumerateObject()) {
        $environment[$one.Name] = $one.Value.GetString()
    }
    @{
        Script = $root.GetProperty('script').GetString()
        Words = @($root.GetProperty('arguments').EnumerateArray() | ForEach-Object -Process {
                $_.GetString() })
        Environment = $environment
        Folder = $root.GetProperty('folder').GetString()
        Interactive = $root.GetProperty('interactive').GetBoolean()
        Limit = [timespan]::FromSeconds($root.GetProperty('limit').GetDouble())
    }
}

function Reset-Process ([hashtable] $Job) {
    # Before each script and not after it: however the last one ended, nothing of it is left.
    foreach ($name in @([System.Environment]::GetEnvironmentVariables().Keys)) {
        [System.Environment]::SetEnvironmentVariable($name, [NullString]::Value)
    }
    foreach ($name in $Job.Environment.Keys) {
        [System.Environment]::SetEnvironmentVariable($name, $Job.Environment[$name])
    }
    [System.TimeZoneInfo]::ClearCachedData()
    [System.IO.Directory]::SetCurrentDirectory($Job.Folder)
    foreach ($one in $shared) {
        if (($one.Of)::($one.Name) -ne $one.Value) { ($one.Of)::($one.Name) = $one.Value }
    }
    [Console]::SetIn($console[0])
    [Console]::SetOut($console[1])
    [Console]::SetError($console[2])
    $PSStyle.OutputRendering = 'PlainText'
}

function New-Run ([object] $Runspace, [hashtable] $Job) {
    # As -File runs a script: in the global scope, errors shown among the output.
    $run = [powershell]::Create()
    $run.Runspace = $Runspace
    $null = $run.AddCommand($Job.Script, $false)
    $command = $run.Commands.Commands[0]
    $command.MergeMyResults('Error', 'Output')
    foreach ($one in Get-Parameter -Words $Job.Words) { $command.Parameters.Add($one) }
    $run.AddCommand('Out-Default')
}

function Get-Parameter ([string[]] $Words) {
    # As -File takes them: -Name:value, or -Name and the next word unless that is a name too.
    $type = [System.Management.Automation.Runspaces.CommandParameter]
    $name = ''
    foreach ($word in $Words) {
        $value = $word
        if ($word -match '^-[a-z_]') {
            if ($name) { $type::new($name) }
            $name, $value = $word -split ':', 2
            if (-not $value) { continue }
            if ($value -in '$true', '$false') { $value = $value -eq '$true' }
        }
        if ($name) { $type::new($name, $value) } else { $type::new([NullString]::Value, $value) }
        $name = ''
    }
    if ($name) { $type::new($name) }
}

function Show-Failure ([object] $Runspace, [System.Exception] $Reason) {
    # The error that ended a script, as its process would show it.
    $failure = $Reason
    if ($Reason -is [System.Management.Automation.IContainsErrorRecord]) {
        $failure = $Reason.ErrorRecord
    }
    $mark = [System.Management.Automation.PSNoteProperty]::new('writeErrorStream', $true)
    $failure.PSObject.Properties.Add($mark)
    $view = [powershell]::Create()
    $view.Runspace = $Runspace
    $null = $view.AddCommand('Out-Default').AddParameter('InputObject', $failure).Invoke()
}

function Wait-Run ([powershell] $Run, [timespan] $Limit) {
    # How the script ended: by itself, stopped at its limit, or not even stopped.
    $begun = $Run.BeginInvoke()
    if ($begun.AsyncWaitHandle.WaitOne($Limit)) { return 'ended' }
    $stop = $Run.BeginStop($null, $null)
    if ($stop.AsyncWaitHandle.WaitOne([timespan]::FromSeconds(3))) { return 'stopped' }
    'stuck'
}

function Get-ExitCode ([object] $Runspace, [powershell] $Run) {
    # That of `exit`, or 1 when an error or the limit ended the script; a byte outside Windows.
    $code = 1
    if ($Run.InvocationStateInfo.State -eq 'Completed') {
        $code = $Runspace.SessionStateProxy.GetVariable('LASTEXITCODE') -as [int]
    } elseif ($Run.InvocationStateInfo.State -eq 'Failed') {
        Show-Failure -Runspace $Runspace -Reason $Run.InvocationStateInfo.Reason
    }
    if ($IsWindows) { $code } else { $code -band 255 }
}

function Invoke-Job ([hashtable] $Job) {
    # One script from its beginning to the end of its runspace.
    Reset-Process -Job $Job
    $jobHost = New-JobHost -Line $line -Interactive $Job.Interactive
    $factory = [System.Management.Automation.Runspaces.RunspaceFactory]
    $runspace = $factory::CreateRunspace($jobHost, $state)
    $runspace.Open()
    $run = New-Run -Runspace $runspace -Job $Job
    $how = Wait-Run -Run $run -Limit $Job.Limit
    if ($how -eq 'stuck') {
        $line.Send('end', ',"how":"stuck","code":1')
        [System.Environment]::Exit(1)
    }
    $code = Get-ExitCode -Runspace $runspace -Run $run
    $run.Dispose()
    $runspace.Dispose()
    $line.Send('end', ",`"how`":`"$how`",`"code`":$code")
}

$line.Send('ready', '')
while ($null -ne ($text = $line.Read())) {
    Invoke-Job -Job (Read-Job -Text $text)
}
