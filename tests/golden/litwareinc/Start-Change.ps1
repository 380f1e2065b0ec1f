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
        Counts = '6ad0e86c1bf7a02dbcbacea8775f32fb4a8f0516d739f5d522f25dd2f7978485' }
    @{ Id = '00-002-skype-preflight_ATL-CS-001'
        Number = '00-002'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'ATL-CS-001 is ready for the change'
        Counts = '5f6471e8833b35ee2e0c34b6fecae3ab093d074200bf62c30773f7c09bcdfe9e' }
    @{ Id = '05-001-skype-prerequisites_ATL-CS-001'
        Number = '05-001'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Prepare Skype for Business for the trust'
        Counts = 'f8c546e65f35d263b03b0fb0d622b3d3f6c5b91c24309b352999bc835c54df13' }
    @{ Id = '10-001-exchange-partner-application_ATL-EXCHANGE-00'
        Number = '10-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Register Skype for Business as a partner application of Exchange'
        Counts = 'a3a93ded09978b336ade5c782e44324f24d19c942482945f9a985647e7306cab' }
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
        Counts = '18f7b2ddd68bd433932f710d15dd4c6d0e21fb689481ffc8b50106f0fd1724eb' }
    @{ Id = '50-001-exchange-verification_ATL-EXCHANGE-00'
        Number = '50-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $false
        Title = 'Verify that ATL-EXCHANGE-00 takes tokens of Skype for Business'
        Counts = '81ad035234fd0ee49f91fc8c781af83031f40a54c829c76c30cfb0e60cf9287c' }
    @{ Id = '50-002-skype-verification_ATL-CS-001'
        Number = '50-002'
        Host = 'ATL-CS-001'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from ATL-CS-001'
        Counts = '343fd9b100b41ca1ea649dd3895c42b3d997e9faebe612375acd8ff9af2131b5' }
    @{ Id = '01-001-undo-skype-partner-application_ATL-CS-001'
        Number = 'undo/01-001'
        Host = 'ATL-CS-001'
        Undo = $true
        Title = 'Remove Exchange as a partner application of Skype for Business'
        Counts = '39b71f24f4fb428c239dc5219fff7971e6df6df98ac0432ac634bfbfa85119ed' }
    @{ Id = '02-001-undo-exchange-partner-application_ATL-EXCHANGE-00'
        Number = 'undo/02-001'
        Host = 'ATL-EXCHANGE-00'
        Undo = $true
        Title = 'Remove Skype for Business as a partner application of Exchange'
        Counts = 'e673e7b2d6c5b1e5b423d0ee0dbc8de96150bf98d718e8fd2b6d38bef86e15c0' }
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
        Counts = 'be5471d192d9106875bd7ef2f3cf8a862a1ae864c5df561d1277bb67e6d55252' }
)

exit (Invoke-Main)
