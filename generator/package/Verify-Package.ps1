# Checks a change package where it lies, with nothing but Windows PowerShell 3.0 or later.
#
#   powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\Verify-Package.ps1
#
# It answers with one line for each file that is missing, extra, renamed, changed, or not signed
# by the signer named below, and ends with 0 (everything is as it was handed over), 2 (it could
# not check), 3 (the package is not as it was handed over) or 4 (the signer is not accepted).
# First look at the signature of this file itself, which carries the list of all others:
#
#   Get-AuthenticodeSignature -LiteralPath .\Verify-Package.ps1
#
# -Folder  the unpacked package; by default the folder in which this file lies
# -Signer  thumbprint of the certificate that you were told to expect
[CmdletBinding()]
param (
    [string] $Folder = $PSScriptRoot,
    [string] $Signer
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Change = <<change>>
$ExpectedSigner = <<signer>>
# A table of .NET, because names in a table of PowerShell are equal in upper and lower case.
$Files = New-Object -TypeName 'System.Collections.Generic.Dictionary[string,string]'
<<files>>
$Scripts = @(
<<scripts>>
)

function Get-Sha256 ([string] $Path) {
    # The only SHA-256 that .NET Framework allows in FIPS mode on every version.
    $sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
    $stream = [System.IO.File]::OpenRead($Path)
    try { $hash = $sha.ComputeHash($stream) } finally { $stream.Dispose() }
    [System.BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

function Get-SignatureProblem ([string] $Path, [string] $Thumbprint) {
    # Nothing for a good signature, else a sentence with the next action, and whether it says that
    # the file is not the one that was handed over.
    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    $status = [string] $signature.Status
    $found = ''
    if ($signature.SignerCertificate) { $found = $signature.SignerCertificate.Thumbprint }
    if ($status -eq 'NotSigned') {
        @{ Damage = $true; Text = 'has no signature. Get the package anew.' }
    }
    elseif ($status -eq 'HashMismatch') {
        @{ Damage = $true; Text = 'was changed after it was signed. Get the package anew.' }
    }
    elseif ($found -ne $Thumbprint) {
        $text = "is signed with the certificate $found, not with $Thumbprint. Ask who signed it."
        @{ Damage = $true; Text = $text }
    }
    elseif ($status -eq 'NotTrusted') {
        $text = 'is signed by a publisher who is not trusted here. Ask for the certificate in ' +
        'Trusted Publishers of this server.'
        @{ Damage = $false; Text = $text }
    }
    elseif ($status -ne 'Valid') {
        $text = "has a signature that Windows does not accept ($status): " +
        "$($signature.StatusMessage) Ask whether the root certificate is in Trusted Root " +
        'Certification Authorities, and whether the certificate has run out.'
        @{ Damage = $false; Text = $text }
    }
}

if ([string] $ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Output ('Cannot check: PowerShell runs in a restricted language mode, because a policy ' +
        'of this computer does not know the signer. Check on another computer.')
    exit 2
}
if (-not [System.IO.Directory]::Exists($Folder)) {
    Write-Output "Cannot check: there is no folder $Folder."
    exit 2
}
if ($Signer -and $Signer.Replace(' ', '') -ne $ExpectedSigner) {
    Write-Output "The package says that it is signed with $ExpectedSigner, not with $Signer."
    exit 4
}

$root = [System.IO.Path]::GetFullPath($Folder).TrimEnd('\', '/')
$own = [System.IO.Path]::GetFullPath($PSCommandPath)
$damage = @()
$unknown = New-Object -TypeName 'System.Collections.Generic.Dictionary[string,string]'
$seen = New-Object -TypeName 'System.Collections.Generic.HashSet[string]'
$present = @(Get-ChildItem -LiteralPath $root -Recurse -Force)
foreach ($item in $present) {
    $path = $item.FullName.Substring($root.Length + 1).Replace('\', '/')
    if ($item.Attributes -band [System.IO.FileAttributes]::ReparsePoint) {
        $damage += "link      $path"
        continue
    }
    if ($item.PSIsContainer -or $item.FullName -eq $own) { continue }
    $hash = Get-Sha256 -Path $item.FullName
    if (-not $Files.ContainsKey($path)) { $unknown[$path] = $hash }
    else {
        $null = $seen.Add($path)
        if ($Files[$path] -ne $hash) { $damage += "changed   $path" }
    }
}
$missing = @($Files.Keys | Where-Object -FilterScript { -not $seen.Contains($_) } | Sort-Object)
foreach ($path in $missing) {
    $same = @($unknown.Keys | Where-Object -FilterScript { $unknown[$_] -eq $Files[$path] })
    if ($same.Count -eq 0) { $damage += "missing   $path" }
    else {
        $damage += "renamed   $path is called $($same[0])"
        $null = $unknown.Remove($same[0])
    }
}
foreach ($path in @($unknown.Keys | Sort-Object)) { $damage += "extra     $path" }

$distrust = @()
if ($null -eq (Get-Command -Name Get-AuthenticodeSignature -ErrorAction SilentlyContinue)) {
    $distrust += 'signature cannot be checked on this computer, only the files.'
}
else {
    foreach ($path in @($Scripts | Where-Object -FilterScript { $seen.Contains($_) }) + '') {
        $file = $own
        $name = [System.IO.Path]::GetFileName($own)
        if ($path) {
            $file = [System.IO.Path]::Combine($root, $path)
            $name = $path
        }
        $problem = Get-SignatureProblem -Path $file -Thumbprint $ExpectedSigner
        if ($problem -and $problem.Damage) { $damage += "signature $name $($problem.Text)" }
        elseif ($problem) { $distrust += "signature $name $($problem.Text)" }
    }
}

foreach ($line in $damage + $distrust) { Write-Output $line }
if ($damage.Count -gt 0) {
    Write-Output "The package of $Change is NOT as it was handed over. Run nothing of it."
    exit 3
}
if ($distrust.Count -gt 0) {
    Write-Output "The files of $Change are complete, but their signer is not accepted here."
    exit 4
}
Write-Output ("The package of $Change is as it was handed over: $($Files.Count) files, signed " +
    "with $ExpectedSigner.")
exit 0
