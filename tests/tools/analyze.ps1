# Parses scripts with PowerShell's own parser, and analyzes others with PSScriptAnalyzer and the
# profiles of Windows PowerShell 3.0 and 5.1: one process, because loading the profiles takes
# seconds. Writes one line of JSON for each complaint. $Whole, $Pieces: files with one path a line.
param ([string] $Whole, [string] $Pieces)

foreach ($file in [System.IO.File]::ReadAllLines($Whole)) {
    $tokens = $null
    $errors = $null
    $null = [System.Management.Automation.Language.Parser]::ParseFile(
        $file, [ref] $tokens, [ref] $errors)
    foreach ($problem in $errors) {
        $found = @{ file = $file; line = $problem.Extent.StartLineNumber; rule = 'parser' }
        $found.message = $problem.Message
        ConvertTo-Json -InputObject $found -Compress
    }
}

$windows = 'win-8_x64_6.2.9200.0_3.0_x64_4.0.30319.42000_framework',
'win-8_x64_10.0.17763.0_5.1.17763.316_x64_4.0.30319.42000_framework'
$settings = @{ Rules = @{
        PSUseCompatibleSyntax = @{ Enable = $true; TargetVersions = '3.0', '5.1' }
        PSUseCompatibleCommands = @{ Enable = $true; TargetProfiles = $windows }
        PSUseCompatibleTypes = @{ Enable = $true; TargetProfiles = $windows }
    }
}
foreach ($file in [System.IO.File]::ReadAllLines($Pieces)) {
    foreach ($problem in @(Invoke-ScriptAnalyzer -Path $file -Settings $settings)) {
        $found = @{ file = $file; line = $problem.Line; rule = $problem.RuleName }
        $found.message = $problem.Message
        ConvertTo-Json -InputObject $found -Compress
    }
}
