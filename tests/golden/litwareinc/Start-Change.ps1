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
    # SHA-256 of the text without signature block and with its own hash set to zeros.
    $latin = [System.Text.Encoding]::GetEncoding(28591)
    $text = $latin.GetString([System.IO.File]::ReadAllBytes($Path))
    $block = 'Begin sig[n]ature block\r\n(# \S+\r\n)+# SIG # End sig[n]ature block\r\n\z'
    $text = $text -creplace ('\r\n# SIG # ' + $block)
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
        Counts = '84d3e301150a0a292a93be3193878ace7f59bc67efcc33faf080b500c9e10f1b' }
    @{ Id = '00-002-skype-preflight_ATL-CS-001'
        Number = '00-002'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'ATL-CS-001 is ready for the change'
        Counts = '381593eae398dea1a534c73b9ffaa5adaf7cf0dcd351d9fdda2b7fe47d87c907' }
    @{ Id = '05-001-skype-prerequisites_ATL-CS-001'
        Number = '05-001'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Prepare Skype for Business for the trust'
        Counts = '71d7576b2c66767d5c75377f4b4c98431395ed0c72a3364a2d92e2f1957b6fb8' }
    @{ Id = '10-001-exchange-partner-application_ATL-EXCHANGE-00'
        Number = '10-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Register Skype for Business as a partner application of Exchange'
        Counts = '15f49f905822eb3bd4f38ebb130f940a3124b8090068bbfdb4aea900c0b4e4fd' }
    @{ Id = '20-001-exchange-restart_ATL-EXCHANGE-00'
        Number = '20-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Restart IIS on ATL-EXCHANGE-00'
        Counts = '3edf004f5882feeb0bb940b853a03b693e9745c2399e75f190086ec8bba9d8a6' }
    @{ Id = '30-001-skype-partner-application_ATL-CS-001'
        Number = '30-001'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Register Exchange as a partner application of Skype for Business'
        Counts = 'b2703df9b8491b36e268fc06e6257a44afc678e5ef98d1cbf8c055a4abdb6bc7' }
    @{ Id = '50-001-exchange-verification_ATL-EXCHANGE-00'
        Number = '50-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Verify that ATL-EXCHANGE-00 takes tokens of Skype for Business'
        Counts = '69f279825fd5d9da325b0b91d14241d5a953e67250c6d8f3d4fee8ec63b9095b' }
    @{ Id = '50-002-skype-verification_ATL-CS-001'
        Number = '50-002'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from ATL-CS-001'
        Counts = '5b4e0149e8c5620e2c75e098d8243fa16201baa31f81bdc5f114a6582d6d2ddf' }
    @{ Id = '01-001-undo-skype-partner-application_ATL-CS-001'
        Number = 'undo/01-001'
        Host = 'ATL-CS-001'
        Undo = $true
        Title = 'Remove Exchange as a partner application of Skype for Business'
        Counts = 'c05d06bea7c6ad40f234688e94ad5bd3cb68fbbb9f171218f6adf8c80b761582' }
    @{ Id = '02-001-undo-exchange-partner-application_ATL-EXCHANGE-00'
        Number = 'undo/02-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $true
        Title = 'Remove Skype for Business as a partner application of Exchange'
        Counts = '583573720a58b9ce60831fac8ab2ecb23d9268601c73e5a74de1012c0280272f' }
    @{ Id = '03-001-undo-exchange-restart_ATL-EXCHANGE-00'
        Number = 'undo/03-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $true
        Title = 'Restart IIS on ATL-EXCHANGE-00, so that it forgets the application'
        Counts = 'f28247e733bf230494e80322693fd680a0abd87b3a7a286ee067d7a2103b58d4' }
    @{ Id = '04-001-undo-skype-prerequisites_ATL-CS-001'
        Number = 'undo/04-001'
        Host = 'ATL-CS-001'
        Undo = $true
        Title = 'Roll back the preparation of Skype for Business'
        Counts = 'c28d051a14b1dfa60a384133caa300ada7974ba9247a9fe2c433114c96a8f4f4' }
)

exit (Invoke-Main)
