# For somebody with a Windows: what the real verifier says of signed scripts. It has not been run
# by its authors, who had no Windows. Run it in Windows PowerShell 5.1 and in PowerShell 7, as a
# user who trusts the signer (root in Trusted Root Certification Authorities, signer in Trusted
# Publishers, both of the current user):
#
#   powershell.exe -NoProfile -ExecutionPolicy Bypass -File Test-OnWindows.ps1 -Folder C:\unpacked
#
# -Folder is an unpacked package. Works on copies below the folder for temporary files; answers
# with one line for each expectation, and ends with 1 when one does not hold.
[CmdletBinding()]
param ([Parameter(Mandatory = $true)] [string] $Folder)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$latin = [System.Text.Encoding]::GetEncoding(28591)
$place = Join-Path -Path ([System.IO.Path]::GetTempPath()) -ChildPath ([guid]::NewGuid().ToString())
$null = New-Item -ItemType Directory -Path $place
$failed = 0

function Write-Expectation ([string] $What, [string] $Wanted, [string] $Found) {
    $word = 'holds '
    if ($Wanted -ne $Found) {
        $word = 'FAILS '
        $script:failed += 1
    }
    Write-Output "$word $What`: expected $Wanted, found $Found"
}

function Get-Status ([string] $Text, [string] $Name) {
    $path = Join-Path -Path $place -ChildPath $Name
    [System.IO.File]::WriteAllBytes($path, $latin.GetBytes($Text))
    [string] (Get-AuthenticodeSignature -LiteralPath $path).Status
}

# 1. Every signed script of the package is valid.
$package = [System.IO.File]::ReadAllText((Join-Path -Path $Folder -ChildPath 'manifest.json'))
$names = @((ConvertFrom-Json -InputObject $package).runbooks | ForEach-Object -MemberName path)
foreach ($name in @($names) + 'Verify-Package.ps1') {
    $path = Join-Path -Path $Folder -ChildPath $name
    Write-Expectation $name 'Valid' ([string] (Get-AuthenticodeSignature -LiteralPath $path).Status)
}

# 2. What must not be valid is not.
$path = Join-Path -Path $Folder -ChildPath $names[0]
$text = $latin.GetString([System.IO.File]::ReadAllBytes($path))
$block = $text.LastIndexOf("`r`n# SIG # Begin ", [System.StringComparison]::Ordinal)
$line = $text.IndexOf("`r`n", $block + 2, [System.StringComparison]::Ordinal) + 2
Write-Expectation 'a changed letter' 'HashMismatch' (Get-Status -Name 'a.ps1' -Text (
        $text.Substring(0, 20) + 'X' + $text.Substring(21)))
Write-Expectation 'LF for CRLF in the text' 'HashMismatch' (Get-Status -Name 'b.ps1' -Text (
        $text.Substring(0, $block).Replace("`r`n", "`n") + $text.Substring($block)))
Write-Expectation 'no block' 'NotSigned' (Get-Status -Name 'c.ps1' -Text $text.Substring(0, $block))
foreach ($case in @(
        @{ Name = 'd.ps1'; What = 'a command after the block'; Text = $text + "Get-Date`r`n" },
        @{ Name = 'e.ps1'; What = 'a command inside the block'
            Text = $text.Insert($line, "Get-Date`r`n")
        })) {
    $status = Get-Status -Name $case.Name -Text $case.Text
    $word = 'not valid'
    if ($status -eq 'Valid') { $word = 'Valid' }
    Write-Expectation "$($case.What) ($status)" 'not valid' $word
}

# 3. The package verifies itself where only signed scripts may run.
foreach ($program in 'powershell.exe', 'pwsh.exe') {
    if ($null -eq (Get-Command -Name $program -ErrorAction SilentlyContinue)) { continue }
    $script = Join-Path -Path $Folder -ChildPath 'Verify-Package.ps1'
    $null = & $program -NoProfile -ExecutionPolicy AllSigned -File $script
    Write-Expectation "Verify-Package.ps1 under AllSigned in $program" '0' ([string] $LASTEXITCODE)
}

Remove-Item -LiteralPath $place -Recurse
exit [int] ($failed -gt 0)
