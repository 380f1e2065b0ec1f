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

$ChangeId = 'CHG0047110'
# The plan. Counts are the content hashes whose receipts count, that of the file here first.
$Plan = @(
    @{ Id = '00-001-exchange-preflight_HAM-EX-01'
        Number = '00-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'HAM-EX-01 is ready for the change'
        Counts = 'e63b6f7c0f26672e23ec8a519a2a00a817ba603b195a76fd913ef60deb3e75f0' }
    @{ Id = '00-002-exchange-preflight_HAM-EX-02'
        Number = '00-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'HAM-EX-02 is ready for the change'
        Counts = '248bcd32568c5c67deee2926ee4308a1f9c5b6850e5ad9b537c4d6d9bbaf485f' }
    @{ Id = '00-003-exchange-preflight_SINGAPORE-EX-01'
        Number = '00-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'SINGAPORE-EX-01 is ready for the change'
        Counts = '6f2bcf6ec3371652921431201482dda583f9cafaa4793f284aa1fa1fe27a82a7' }
    @{ Id = '00-004-exchange-preflight_SINGAPORE-EX-02'
        Number = '00-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'SINGAPORE-EX-02 is ready for the change'
        Counts = 'c3f758378d304fb5ea0856e02a3e8b72321a34143794ba5a7bdbce5c0b6e4546' }
    @{ Id = '00-005-skype-preflight_HAM-FE-01'
        Number = '00-005'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'HAM-FE-01 is ready for the change'
        Counts = 'fa297e4cc919844a0032c327d5b526a5824596828700209c1900a83349df839b' }
    @{ Id = '00-006-skype-preflight_HAM-FE-02'
        Number = '00-006'
        Host = 'HAM-FE-02'
        Undo = $false
        Title = 'HAM-FE-02 is ready for the change'
        Counts = '1e9e30f573ce67de85bb9f7e3231a8dc6c77153a441ddfaf94b6cea8d8e89197' }
    @{ Id = '00-007-skype-preflight_HAM-FE-03'
        Number = '00-007'
        Host = 'HAM-FE-03'
        Undo = $false
        Title = 'HAM-FE-03 is ready for the change'
        Counts = '51d6bc23d515f429eb664e81afeedf2e734cdabbb46716916dbd225ac74e26a7' }
    @{ Id = '00-008-skype-preflight_SIN-SFB-01'
        Number = '00-008'
        Host = 'SIN-SFB-01'
        Undo = $false
        Title = 'SIN-SFB-01 is ready for the change'
        Counts = '259d12149f4be36132ae713ab5e024756cb92a2312cdf82e41b9aa732819b129' }
    @{ Id = '05-001-exchange-prerequisites_HAM-EX-01'
        Number = '05-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Publish the Autodiscover address where it is blank'
        Counts = '742ed358062e48e82127109520d402b9ac24ec76bfdee0a2cae2860acb0bdab4' }
    @{ Id = '05-002-skype-prerequisites_HAM-FE-01'
        Number = '05-002'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Prepare Skype for Business for the trust'
        Counts = '19d68bf228f88977a9a33beb68427e49188ad558e3bf97a73e2067864c72476a' }
    @{ Id = '10-001-exchange-partner-application_HAM-EX-01'
        Number = '10-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Register Skype for Business as a partner application of Exchange'
        Counts = '817259c48336d3da581a5436ba322c49d96ca4c742d3ff4c21ceb61f2e45bb49' }
    @{ Id = '20-001-exchange-restart_HAM-EX-01'
        Number = '20-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Restart IIS on HAM-EX-01'
        Counts = 'dcc5c2f00c3c90434b6c7d5f2f7c11c276e4d54db539c664b464f50f6be5f6b7' }
    @{ Id = '20-002-exchange-restart_HAM-EX-02'
        Number = '20-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'Restart IIS on HAM-EX-02'
        Counts = '40c41dcae410b7043ee0c0a374c548aa537420e7bfae0780fac241829fb4c8e2' }
    @{ Id = '20-003-exchange-restart_SINGAPORE-EX-01'
        Number = '20-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'Restart IIS on SINGAPORE-EX-01'
        Counts = '26ae7d55a715e9d383b9ce6ab49453a04f6f2d09f14d519991080c6f78c34b9b' }
    @{ Id = '20-004-exchange-restart_SINGAPORE-EX-02'
        Number = '20-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'Restart IIS on SINGAPORE-EX-02'
        Counts = '39242bdb3b35d9ae5b7bec27ed9e7d64ab83670d61869554f258fda4bb23883c' }
    @{ Id = '30-001-skype-partner-application_HAM-FE-01'
        Number = '30-001'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Register Exchange as a partner application of Skype for Business'
        Counts = '3ce930153697bde349d621f76e49be13d4d2367d314c00c0c63280cc74db7b97' }
    @{ Id = '50-001-exchange-verification_HAM-EX-01'
        Number = '50-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Verify that HAM-EX-01 takes tokens of Skype for Business'
        Counts = '0be465d40f826050c26d800d3a656308b574417340f04025a0aadc49841b9792' }
    @{ Id = '50-002-exchange-verification_HAM-EX-02'
        Number = '50-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'Verify that HAM-EX-02 takes tokens of Skype for Business'
        Counts = '880236f624afea49ea2a11829ee9f827de96ab277f7e68275fd719900eda0c88' }
    @{ Id = '50-003-exchange-verification_SINGAPORE-EX-01'
        Number = '50-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'Verify that SINGAPORE-EX-01 takes tokens of Skype for Business'
        Counts = '9bc1e7f81fe167912cdda1b0a424af2ffa3b15a503b95c2f856f871948a0ce39' }
    @{ Id = '50-004-exchange-verification_SINGAPORE-EX-02'
        Number = '50-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'Verify that SINGAPORE-EX-02 takes tokens of Skype for Business'
        Counts = '093d7fa39b9754aca6d6211fc1018f21de95f98a64603c2bdd3c30ab469d4acd' }
    @{ Id = '50-005-skype-verification_HAM-FE-01'
        Number = '50-005'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-01'
        Counts = '9c1ad13ded09ab0eee2a3d1e73ed90f8d7dca4ef5a224dea1b29e734c6032d2f' }
    @{ Id = '50-006-skype-verification_HAM-FE-02'
        Number = '50-006'
        Host = 'HAM-FE-02'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-02'
        Counts = '4a49a3760b1edf2906a97b814443fcf52a99e0f81aefcf914d080de6a75eb031' }
    @{ Id = '50-007-skype-verification_HAM-FE-03'
        Number = '50-007'
        Host = 'HAM-FE-03'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-03'
        Counts = '9616fefd5c0a87b5c118f2817127b8d28641193118705b0d8b6d9931d3688572' }
    @{ Id = '50-008-skype-verification_SIN-SFB-01'
        Number = '50-008'
        Host = 'SIN-SFB-01'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from SIN-SFB-01'
        Counts = '86b908a65dce6eb74426e2f40293429b7b6d5ed87d5ed7287c66a4c255b8b572' }
    @{ Id = '01-001-undo-skype-partner-application_HAM-FE-01'
        Number = 'undo/01-001'
        Host = 'HAM-FE-01'
        Undo = $true
        Title = 'Remove Exchange as a partner application of Skype for Business'
        Counts = 'd0c77354b9d58d22f828ed84b72fc328c1098b2ff2d92180ba574a81c186864f' }
    @{ Id = '02-001-undo-skype-verification_HAM-FE-02'
        Number = 'undo/02-001'
        Host = 'HAM-FE-02'
        Undo = $true
        Title = 'HAM-FE-02 has received the rollback'
        Counts = '2e091ed7137ac1c7062405e58b9b9f9d1ff3f1086ef4fd6cdc1ae7959346c3db' }
    @{ Id = '02-002-undo-skype-verification_HAM-FE-03'
        Number = 'undo/02-002'
        Host = 'HAM-FE-03'
        Undo = $true
        Title = 'HAM-FE-03 has received the rollback'
        Counts = 'b94683dea8ce88e05051a80ec85cd507142af14517ec2a80c09057f9125b5f23' }
    @{ Id = '02-003-undo-skype-verification_SIN-SFB-01'
        Number = 'undo/02-003'
        Host = 'SIN-SFB-01'
        Undo = $true
        Title = 'SIN-SFB-01 has received the rollback'
        Counts = 'cb29b62dde6246a200dc447c0694d2263a31591dce91414624dc63cddd41f5b6' }
    @{ Id = '03-001-undo-exchange-partner-application_HAM-EX-01'
        Number = 'undo/03-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Remove Skype for Business as a partner application of Exchange'
        Counts = 'b2aa7641eac99c11d2a6e6ab61c8fcd24883480d485f199e8d4246324263bb23' }
    @{ Id = '04-001-undo-exchange-restart_HAM-EX-01'
        Number = 'undo/04-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Restart IIS on HAM-EX-01, so that it forgets the application'
        Counts = '216c4d091f436f870b8e53e2ea3a6293b49403fca0e182619ace481b11efcd14' }
    @{ Id = '04-002-undo-exchange-restart_HAM-EX-02'
        Number = 'undo/04-002'
        Host = 'HAM-EX-02'
        Undo = $true
        Title = 'Restart IIS on HAM-EX-02, so that it forgets the application'
        Counts = '3a6d680aa8fd4862823bf1f297aa67e2e7d46ebef8b01e952f9c86620565fee3' }
    @{ Id = '04-003-undo-exchange-restart_SINGAPORE-EX-01'
        Number = 'undo/04-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $true
        Title = 'Restart IIS on SINGAPORE-EX-01, so that it forgets the application'
        Counts = '2d8cc4d29239fa14e212d5e96135a435a632b52695689f3bc30bb0e0d1c670d6' }
    @{ Id = '04-004-undo-exchange-restart_SINGAPORE-EX-02'
        Number = 'undo/04-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $true
        Title = 'Restart IIS on SINGAPORE-EX-02, so that it forgets the application'
        Counts = '6b9dcc1547973e718498e6b9d31c74cb7996e502329d45e9a7f95fdfda9bf0eb' }
    @{ Id = '05-001-undo-skype-prerequisites_HAM-FE-01'
        Number = 'undo/05-001'
        Host = 'HAM-FE-01'
        Undo = $true
        Title = 'Roll back the preparation of Skype for Business'
        Counts = '0df5801287675bd4ab2accdf4b7d583a60fc3b213f79467598b0ffa3fc94b33b' }
    @{ Id = '06-001-undo-exchange-prerequisites_HAM-EX-01'
        Number = 'undo/06-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Roll back the published Autodiscover addresses'
        Counts = '43c21408840e37ff590ec486bc917921dfd19c6048ef6560e624cc4ea4e71560' }
)

exit (Invoke-Main)
