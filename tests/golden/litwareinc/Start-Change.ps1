# =====================================================================================
# Start-Change - Server-to-server authentication between Exchange and Skype for Business
#
# Change   CHG0012345
# Shows, on any server of the change, what is done here and what comes next, and whether the files
# beside it are those of the plan. It changes nothing.
#
# Exit     0 all files are as planned, 2 this server is not in the plan, 3 a file is not as planned
#
# From     inventory litwareinc, generated: an edited copy is refused.
# =====================================================================================
#Requires -Version 3.0
[CmdletBinding()]
param ()

if ([string] $ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Host -Object ('Constrained Language Mode: nothing was changed. Ask who manages ' +
        'AppLocker or WDAC to allow the signer of this file, then run it again.')
    exit 2
}
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function Get-ContentHash ([string] $Path) {
    # SHA-256 of the text without signature block and with its own hash set to zeros, as a runbook
    # finds it of itself. Signers seek the marks of a block: none is whole here.
    $latin = [System.Text.Encoding]::GetEncoding(28591)
    $text = $latin.GetString([System.IO.File]::ReadAllBytes($Path))
    $marks = $text.ToLowerInvariant() -csplit 'sig # (?:begin|end) sig[n]ature block'
    $block = '(?<!\A)\r\n# SIG # Begin sig[n]ature block(\r\n# ~{64})*\r\n# (~{4}){0,15}~(~(~~|' +
    '[AEIMQUYcgkosw048]=)|[AQgw]==)\r\n# SIG # End sig[n]ature block\r\n\z'
    if ($marks.Count -eq 3) { $text = $text -creplace $block.Replace('~', '[A-Za-z0-9+/]') }
    if ($text -cmatch "ContentHash = '([0-9a-f]{64})'") {
        $text = $text.Replace($Matches[1], '0' * 64)
    }
    $sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
    $hash = $sha.ComputeHash($latin.GetBytes($text))
    [System.BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

function Get-RunbookPath ([hashtable] $One) {
    # Where the file of a runbook lies, beside this one or below undo.
    $folder = $PSScriptRoot
    if ($One.Undo) { $folder = Join-Path -Path $folder -ChildPath 'undo' }
    Join-Path -Path $folder -ChildPath "$($One.Id).ps1"
}

function Get-FileProblem {
    # A sentence for each file that is missing, changed, or in no plan.
    $known = @{}
    foreach ($one in $Plan) {
        $path = Get-RunbookPath -One $one
        $known[$path] = $true
        if (-not [System.IO.File]::Exists($path)) {
            "$path is missing. Copy the whole folder of the change again."
        } elseif (@($one.Counts)[0] -ne (Get-ContentHash -Path $path)) {
            "$path is not the file of this plan. Copy the whole folder of the change again."
        }
    }
    foreach ($file in Get-ChildItem -LiteralPath $PSScriptRoot -Filter '*.ps1' -Recurse) {
        $own = $file.FullName -eq $PSCommandPath -or $file.Name -eq 'Verify-Package.ps1'
        if (-not $own -and -not $known.ContainsKey($file.FullName)) {
            "$($file.FullName) is in no plan. Ask who put it there, and do not run it."
        }
    }
}

function Get-RunbookState ([hashtable] $One) {
    # What the receipt on this server says: a runbook that was never run has none.
    $folder = Join-Path -Path $env:ProgramData -ChildPath 'Runbook'
    $folder = Join-Path -Path $folder -ChildPath $ChangeId
    $path = Join-Path -Path $folder -ChildPath "$($One.Id).receipt.json"
    if (-not [System.IO.File]::Exists($path)) { return 'open' }
    try {
        $receipt = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($path))
        $outcome = [string] $receipt.outcome
        if ($outcome -ne 'completed') { return $outcome }
        if ($One.Counts -contains [string] $receipt.hash) { return 'done' }
        return 'done with another text'
    } catch {
        return 'its receipt cannot be read'
    }
}

function Show-Plan ([object[]] $Part, [string] $Heading) {
    if ($Part.Count -eq 0) { return }
    Write-Host -Object ''
    Write-Host -Object $Heading
    foreach ($one in $Part) {
        $state = Get-RunbookState -One $one
        Write-Host -Object ('  {0,-8} {1,-22} {2}' -f $one.Number, $state, $one.Title)
    }
}

function Invoke-Main {
    # Answers with the exit code.
    $here = @($Plan | Where-Object -FilterScript { $_.Host -eq $env:COMPUTERNAME })
    Write-Host -Object "Change $ChangeId on $($env:COMPUTERNAME)"
    if ($here.Count -eq 0) {
        $hosts = @($Plan | ForEach-Object -Process { $_.Host } | Select-Object -Unique)
        Write-Host -Object "This server is not in the plan. It is for: $($hosts -join ', ')."
        return 2
    }
    Show-Plan -Heading 'The change' -Part @($here | Where-Object -FilterScript { -not $_.Undo })
    Show-Plan -Heading 'Its rollback' -Part @($here | Where-Object -FilterScript { $_.Undo })
    Write-Host -Object ''
    $problems = @(Get-FileProblem)
    foreach ($problem in $problems) { Write-Host -Object $problem }
    if ($problems.Count -gt 0) {
        Write-Host -Object "$($problems.Count) file(s) are not as planned. Run nothing of it."
        return 3
    }
    Write-Host -Object "All $(@($Plan).Count) runbooks beside this file are as planned."
    return 0
}

$ChangeId = 'CHG0012345'
# The plan. Counts are the content hashes whose receipts count, that of the file here first.
$Plan = @(
    @{ Id = '00-001-exchange-preflight_ATL-EXCHANGE-00'
        Number = '00-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'ATL-EXCHANGE-00 is ready for the change'
        Counts = '8d2bec322260ed6e70c2cdc28697539743c32b404a4868ac3c4a92819078d3d7' }
    @{ Id = '00-002-skype-preflight_ATL-CS-001'
        Number = '00-002'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'ATL-CS-001 is ready for the change'
        Counts = '5ce772a26a46db760afa987dd28cc684bdb27432226ff681064e0bd35acfae44' }
    @{ Id = '05-001-skype-prerequisites_ATL-CS-001'
        Number = '05-001'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Prepare Skype for Business for the trust'
        Counts = '0f8d691d408119dd9ab4844cc1353e0f0524739a0054d2668c7f452b30e4abef' }
    @{ Id = '10-001-exchange-partner-application_ATL-EXCHANGE-00'
        Number = '10-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Register Skype for Business as a partner application of Exchange'
        Counts = 'eeaa781c432da2bde2159f3b5823cf61c3c7e890d9d060c8e374067a8d5c1527' }
    @{ Id = '20-001-exchange-restart_ATL-EXCHANGE-00'
        Number = '20-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Restart IIS on ATL-EXCHANGE-00'
        Counts = '8198749d460ea9d7c0a07745bd622ca89daae1d2fddcaf13e5e8f3d3743454a4' }
    @{ Id = '30-001-skype-partner-application_ATL-CS-001'
        Number = '30-001'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Register Exchange as a partner application of Skype for Business'
        Counts = '5268a3fec6fb03d6cede8afe9ee175d30af5114a4dc3523591aee6fc0e4ba95c' }
    @{ Id = '50-001-exchange-verification_ATL-EXCHANGE-00'
        Number = '50-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Verify that ATL-EXCHANGE-00 takes tokens of Skype for Business'
        Counts = '12d32ac3cef4152f52f8592e54f925957a5f7f3951bbb7519cd7b65ad1cb41b2' }
    @{ Id = '50-002-skype-verification_ATL-CS-001'
        Number = '50-002'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from ATL-CS-001'
        Counts = '3e049cbfca4ec516ec06b660c7e7ca94900585b9fd972830197b36875cb151d2' }
    @{ Id = '01-001-undo-skype-partner-application_ATL-CS-001'
        Number = 'undo/01-001'
        Host = 'ATL-CS-001'
        Undo = $true
        Title = 'Remove Exchange as a partner application of Skype for Business'
        Counts = 'bee28f8286ab5aa0fa8762518f1b3302da6a655cbbed3be354f0f07ec09a8085' }
    @{ Id = '02-001-undo-exchange-partner-application_ATL-EXCHANGE-00'
        Number = 'undo/02-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $true
        Title = 'Remove Skype for Business as a partner application of Exchange'
        Counts = '3d6f40fb195042a04110e03395ad755cbe4bb7181dc3f461f1f7acbc25b4dda3' }
    @{ Id = '03-001-undo-exchange-restart_ATL-EXCHANGE-00'
        Number = 'undo/03-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $true
        Title = 'Restart IIS on ATL-EXCHANGE-00, so that it forgets the application'
        Counts = '156a05367ce5887e3f68dd5012e15a02933d52cf5edf44a82fb42e6586c259d2' }
    @{ Id = '04-001-undo-skype-prerequisites_ATL-CS-001'
        Number = 'undo/04-001'
        Host = 'ATL-CS-001'
        Undo = $true
        Title = 'Roll back the preparation of Skype for Business'
        Counts = '7ca100e8064b5ce282b67774f364bb2ca67c15b7ee4cb98acc47a5eb2596e04e' }
)

exit (Invoke-Main)
