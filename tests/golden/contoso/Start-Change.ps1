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
        Counts = 'f6bdbf86dcbbaf612e135a0f1531ed7d74000316a93b86b3a304544e479040f6' }
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
        Counts = '0b53432090db116d01c57b449c1db15e07dd3a1be2568847c0039a95226395c9' }
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
        Counts = '2dd96473ead463c2f225fcfa3a998e68725d069baaea7a8e22265bae2da34b95' }
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
        Counts = '3d9ff0ea39d9206402a4e1924a894b706373295b5dadbea779d1ab3324c1e14b' }
    @{ Id = '50-001-exchange-verification_HAM-EX-01'
        Number = '50-001'
        Host = 'HAM-EX-01'
        Undo = $false
        Title = 'Verify that HAM-EX-01 takes tokens of Skype for Business'
        Counts = '07901bf86a7caa409d1cd7c1fd9fd8076ec6db43da2fec9f72d6d70506833215' }
    @{ Id = '50-002-exchange-verification_HAM-EX-02'
        Number = '50-002'
        Host = 'HAM-EX-02'
        Undo = $false
        Title = 'Verify that HAM-EX-02 takes tokens of Skype for Business'
        Counts = '7ea9b2492736d93db7d69511fd1919f572065e77f899eb66abfd2b7d4b40465c' }
    @{ Id = '50-003-exchange-verification_SINGAPORE-EX-01'
        Number = '50-003'
        Host = 'SINGAPORE-EX-01'
        Undo = $false
        Title = 'Verify that SINGAPORE-EX-01 takes tokens of Skype for Business'
        Counts = '2e8c07556a8f5e9aaf51b8672e70314e42b9932843e38dd1f60784da12ede894' }
    @{ Id = '50-004-exchange-verification_SINGAPORE-EX-02'
        Number = '50-004'
        Host = 'SINGAPORE-EX-02'
        Undo = $false
        Title = 'Verify that SINGAPORE-EX-02 takes tokens of Skype for Business'
        Counts = 'f171d941880fa24084d4366ad78d045c6f0d2e86411b47e1d6f0214b7b2ffecd' }
    @{ Id = '50-005-skype-verification_HAM-FE-01'
        Number = '50-005'
        Host = 'HAM-FE-01'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-01'
        Counts = '987b7fc611a2dc629a900386ce0e8902e2f76d891760341d54ad06eb088e53f0' }
    @{ Id = '50-006-skype-verification_HAM-FE-02'
        Number = '50-006'
        Host = 'HAM-FE-02'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-02'
        Counts = '24c088712d3d8c459175725e9ee17088d9540060a4878ca9de7374a27f54b46e' }
    @{ Id = '50-007-skype-verification_HAM-FE-03'
        Number = '50-007'
        Host = 'HAM-FE-03'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from HAM-FE-03'
        Counts = 'ac3ab9c1c05bd888dbb6e2d344edb634859c6c6e7c41ea3de0c52a1251942008' }
    @{ Id = '50-008-skype-verification_SIN-SFB-01'
        Number = '50-008'
        Host = 'SIN-SFB-01'
        Undo = $false
        Title = 'Verify that Skype for Business reaches Exchange, from SIN-SFB-01'
        Counts = 'd433465ed385f94fa20466fe70db2d08b17b5c044e37d8e69008c947ebb0966e' }
    @{ Id = '01-001-undo-skype-partner-application_HAM-FE-01'
        Number = 'undo/01-001'
        Host = 'HAM-FE-01'
        Undo = $true
        Title = 'Remove Exchange as a partner application of Skype for Business'
        Counts = '4ef4fc24552ce91b029f03d27e834b789dcc168c530445059879b0ff533c1734' }
    @{ Id = '02-001-undo-skype-verification_HAM-FE-02'
        Number = 'undo/02-001'
        Host = 'HAM-FE-02'
        Undo = $true
        Title = 'HAM-FE-02 has received the rollback'
        Counts = 'f20c478119a893b337ffb22664a0c6f44022cd36abbf651f205f11d452b6886a' }
    @{ Id = '02-002-undo-skype-verification_HAM-FE-03'
        Number = 'undo/02-002'
        Host = 'HAM-FE-03'
        Undo = $true
        Title = 'HAM-FE-03 has received the rollback'
        Counts = '0054ce81d3376a563932e03c4c1e80d86d5cebc2ffd53c56f31984ef7d94aed0' }
    @{ Id = '02-003-undo-skype-verification_SIN-SFB-01'
        Number = 'undo/02-003'
        Host = 'SIN-SFB-01'
        Undo = $true
        Title = 'SIN-SFB-01 has received the rollback'
        Counts = 'c9700994bca755483a520ece7178b0fbd7a16692940e82e2c9df3c19b39c51da' }
    @{ Id = '03-001-undo-exchange-partner-application_HAM-EX-01'
        Number = 'undo/03-001'
        Host = 'HAM-EX-01'
        Undo = $true
        Title = 'Remove Skype for Business as a partner application of Exchange'
        Counts = '6af86f577f8470c9bf6231b7657d7b26b3ce3a9fc7ec49111418987863a686c4' }
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
