# Runs Verify-Package.ps1 with a Get-AuthenticodeSignature that knows its answers from a table,
# because only Windows has the real one. The table is made by the verifier of this project.
param ([string] $Table, [string] $Script, [string] $Folder, [string] $Signer)

$global:Answers = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Table))

function global:Get-AuthenticodeSignature ([string] $LiteralPath) {
    $name = [System.IO.Path]::GetFileName($LiteralPath)
    $answer = $global:Answers.PSObject.Properties[$name].Value
    $certificate = $null
    if ($answer.Thumbprint) { $certificate = [pscustomobject] @{ Thumbprint = $answer.Thumbprint } }
    [pscustomobject] @{
        Status = $answer.Status
        StatusMessage = 'What Windows says.'
        SignerCertificate = $certificate
    }
}

$more = @{}
if ($Folder) { $more.Folder = $Folder }
if ($Signer) { $more.Signer = $Signer }
& $Script @more
exit $LASTEXITCODE
