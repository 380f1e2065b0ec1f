# =====================================================================================
# Start-Change - OAuth between Exchange and Skype for Business, both sites
#
# Change   CHG0047110
# Shows, on any server of the change, what is done here and what comes next, and whether the files
# beside it are those of the plan. It changes nothing.
#
# Exit     0 all files are as planned, 2 this server is not in the plan, 3 a file is not as planned
#
# From     inventory contoso, generated: an edited copy is refused.
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

$ChangeId = 'CHG0047110'
# The plan. Counts are the content hashes whose receipts count, that of the file here first.
$Plan = @(
    @{ Id = '00-001-exchange-preflight_HAM-EX-01'
        Number = '00-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'HAM-EX-01 is ready for the change'
        Counts = '4254f5eb3b0d10ce9440904635843b1838283e88530005edd1a6a4a2dd44146f' }
    @{ Id = '00-002-exchange-preflight_HAM-EX-02'
        Number = '00-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'HAM-EX-02 is ready for the change'
        Counts = '1f062577953894074473c08cadb14f909d5a121832162d02079a70f9ae8232bc' }
    @{ Id = '00-003-exchange-preflight_SINGAPORE-EX-01'
        Number = '00-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'SINGAPORE-EX-01 is ready for the change'
        Counts = '3c0622fec15996105eec1951696dba1681afa853c3f7fec9b050023515a634d2' }
    @{ Id = '00-004-exchange-preflight_SINGAPORE-EX-02'
        Number = '00-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'SINGAPORE-EX-02 is ready for the change'
        Counts = '7a5ca6e42a1df8309392bb4aa3dbef13993a6a9a28a1d7a714c617b56e7fcea7' }
    @{ Id = '00-005-skype-preflight_HAM-FE-01'
        Number = '00-005'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'HAM-FE-01 is ready for the change'
        Counts = '750807a4f7eb3ad8348b2e907e85e0600c352ba7bc9a6c39c4b818f2aedef297' }
    @{ Id = '00-006-skype-preflight_HAM-FE-02'
        Number = '00-006'
        Host = 'HAM-FE-02'
        Undo = $false
        Title = 'HAM-FE-02 is ready for the change'
        Counts = '86cdd7713be46a9da351db4e41734ad5421d9025c69e1090e31f32fa683eada5' }
    @{ Id = '00-007-skype-preflight_HAM-FE-03'
        Number = '00-007'
        Host = 'HAM-FE-03'
        Undo = $false
        Title = 'HAM-FE-03 is ready for the change'
        Counts = '751330848540e0d10f734cd0deefefeffda92764c5c67e18590d4f2ebeef42c6' }
    @{ Id = '00-008-skype-preflight_SIN-SFB-01'
        Number = '00-008'
        Host = 'SIN-SFB-01'
        Undo = $false
        Title = 'SIN-SFB-01 is ready for the change'
        Counts = 'f409581225606b1ba3c8b3a261137146637b9168d175652c3ef031aa93edc297' }
    @{ Id = '05-001-exchange-prerequisites_HAM-EX-01'
        Number = '05-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Publish the Autodiscover address where it is blank'
        Counts = '2dc74128e8b5e84708dec9b512e1310614d99205f745cb00e4f3a2a01512493c' }
    @{ Id = '05-002-skype-prerequisites_HAM-FE-01'
        Number = '05-002'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Prepare Skype for Business for the trust'
        Counts = 'c2f933272f6d7c3e557044454938d454f77bf591b477242ecdc6e2587ff6fcf8' }
    @{ Id = '10-001-exchange-partner-application_HAM-EX-01'
        Number = '10-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Register Skype for Business as a partner application of Exchange'
        Counts = 'b24bb3c63c696b6874b2a646f0bc963847f68b80b46863215c0f45be3a59cd07' }
    @{ Id = '20-001-exchange-restart_HAM-EX-01'
        Number = '20-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Restart IIS on HAM-EX-01'
        Counts = '1aab6ea6ab10d43bf2201bf6aed4a5962f20a26efa59ab3eeeb122d105184c4f' }
    @{ Id = '20-002-exchange-restart_HAM-EX-02'
        Number = '20-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'Restart IIS on HAM-EX-02'
        Counts = 'df9f7fa58fe9808b72babe0f1beae1a45572dfb202a4abdf61a94181bb6917b7' }
    @{ Id = '20-003-exchange-restart_SINGAPORE-EX-01'
        Number = '20-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'Restart IIS on SINGAPORE-EX-01'
        Counts = '7c57cdddd5c00e11cce903a689491f97bf0b06acf67b0c39bb5d3b7ab662b9ed' }
    @{ Id = '20-004-exchange-restart_SINGAPORE-EX-02'
        Number = '20-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'Restart IIS on SINGAPORE-EX-02'
        Counts = '048a3ac27da72afcffcb38f8781744e53ec288ea5a5229067c89ebc1c268de96' }
    @{ Id = '30-001-skype-partner-application_HAM-FE-01'
        Number = '30-001'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Register Exchange as a partner application of Skype for Business'
        Counts = '8bf2d9caa8181338b01615d7f6dccbcb631d0561fd56d07b0b04c0cd87f2f90c' }
    @{ Id = '50-001-exchange-verification_HAM-EX-01'
        Number = '50-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Verify that HAM-EX-01 takes tokens of Skype for Business'
        Counts = '98cc1958c73e1b25fec76c13351859513e0a00f0655623a116e84616ef7cb6ce' }
    @{ Id = '50-002-exchange-verification_HAM-EX-02'
        Number = '50-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'Verify that HAM-EX-02 takes tokens of Skype for Business'
        Counts = 'd6dd13802ee31b67eab2461df46080ee8b188ce5e96af360261180e3aaf874ba' }
    @{ Id = '50-003-exchange-verification_SINGAPORE-EX-01'
        Number = '50-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'Verify that SINGAPORE-EX-01 takes tokens of Skype for Business'
        Counts = '54396d579710c21b3171287636a10aca76a92bc82f25dcc52c9481c552ca27ad' }
    @{ Id = '50-004-exchange-verification_SINGAPORE-EX-02'
        Number = '50-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'Verify that SINGAPORE-EX-02 takes tokens of Skype for Business'
        Counts = 'b0268319c4bcab9f212e1a496f8c04a74033854318e05e1a42cca38c0ac312a6' }
    @{ Id = '50-005-skype-verification_HAM-FE-01'
        Number = '50-005'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-01'
        Counts = '7fd0743900df39aee09e5060e18b7197579a587a386e941fa45b9e30efc9fa7f' }
    @{ Id = '50-006-skype-verification_HAM-FE-02'
        Number = '50-006'
        Host = 'HAM-FE-02'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-02'
        Counts = 'a71044c667e7f40fa726c9818242816fe74f6af7f790468289891f225b471dc7' }
    @{ Id = '50-007-skype-verification_HAM-FE-03'
        Number = '50-007'
        Host = 'HAM-FE-03'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-03'
        Counts = '11620f96b957e4eef003876021de11792b59c79701b173c5f3d11bbf66112581' }
    @{ Id = '50-008-skype-verification_SIN-SFB-01'
        Number = '50-008'
        Host = 'SIN-SFB-01'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from SIN-SFB-01'
        Counts = '8b5d287c3879f59cd13fbe271ff0fec5f755ffaa75820be22557e1f779e9ae59' }
    @{ Id = '01-001-undo-skype-partner-application_HAM-FE-01'
        Number = 'undo/01-001'
        Host = 'HAM-FE-01'
        Undo = $true
        Title = 'Remove Exchange as a partner application of Skype for Business'
        Counts = '984cbd039cac45f3a014cac16a24829b19115988ad0e333752fce0f52fd45ce4' }
    @{ Id = '02-001-undo-skype-verification_HAM-FE-02'
        Number = 'undo/02-001'
        Host = 'HAM-FE-02'
        Undo = $true
        Title = 'HAM-FE-02 has received the rollback'
        Counts = 'a62d086edf4028fe0ceab21890b48fbfcbb4c316ad9e92eb4b265d32f0182e17' }
    @{ Id = '02-002-undo-skype-verification_HAM-FE-03'
        Number = 'undo/02-002'
        Host = 'HAM-FE-03'
        Undo = $true
        Title = 'HAM-FE-03 has received the rollback'
        Counts = '747bb9c8f0779222941c8ed314521b2429b5a2761016a5f0d0352f2de8f1f22c' }
    @{ Id = '02-003-undo-skype-verification_SIN-SFB-01'
        Number = 'undo/02-003'
        Host = 'SIN-SFB-01'
        Undo = $true
        Title = 'SIN-SFB-01 has received the rollback'
        Counts = 'e314522533e16ec0c7ec3e7a95b12f5280252767348ed380e6abddf8f07c7d25' }
    @{ Id = '03-001-undo-exchange-partner-application_HAM-EX-01'
        Number = 'undo/03-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Remove Skype for Business as a partner application of Exchange'
        Counts = '35ea8fbe22ab8c09023b8689841766de0709c82e81990f666904dbe80c689ad9' }
    @{ Id = '04-001-undo-exchange-restart_HAM-EX-01'
        Number = 'undo/04-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Restart IIS on HAM-EX-01, so that it forgets the application'
        Counts = '70bef53dfda111cebd8fa35b636ee6ea74029c96eeb781a04efdf5a92fbf1e95' }
    @{ Id = '04-002-undo-exchange-restart_HAM-EX-02'
        Number = 'undo/04-002'
        Host = 'HAM-EX-02'
        Undo = $true
        Title = 'Restart IIS on HAM-EX-02, so that it forgets the application'
        Counts = '4d1b71f6376978518aa9eeec06d9195ef99cf8786fcde5492edd969e58dd8e05' }
    @{ Id = '04-003-undo-exchange-restart_SINGAPORE-EX-01'
        Number = 'undo/04-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $true
        Title = 'Restart IIS on SINGAPORE-EX-01, so that it forgets the application'
        Counts = 'e243ec6b9b4ea028cf1a664bafbd2c94789c9b4a2d8b3e0ad8879b7221afc295' }
    @{ Id = '04-004-undo-exchange-restart_SINGAPORE-EX-02'
        Number = 'undo/04-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $true
        Title = 'Restart IIS on SINGAPORE-EX-02, so that it forgets the application'
        Counts = '5f37f6ad7b4afa07ca43c170dd3db07972dbe2671ad4c0e484d7e07d68607284' }
    @{ Id = '05-001-undo-skype-prerequisites_HAM-FE-01'
        Number = 'undo/05-001'
        Host = 'HAM-FE-01'
        Undo = $true
        Title = 'Roll back the preparation of Skype for Business'
        Counts = '2dab97c510fd46f3ec8e8dec943fdb91794b028d76113bf264e5321d0d8333e4' }
    @{ Id = '06-001-undo-exchange-prerequisites_HAM-EX-01'
        Number = 'undo/06-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Roll back the published Autodiscover addresses'
        Counts = 'fdfd0037da002f6e44e21a178022681934024c47813f1c714af7c960b2fe2d07' }
)

exit (Invoke-Main)
