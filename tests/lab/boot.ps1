# Starts one runbook unchanged: stand-ins first, then the script in the global scope, where it
# is under -File as well. Words are -Name, or -Name=value.
Import-Module -Name "$env:LAB_ROOT/stand-ins/Lab.psm1" -Global
Import-Module -Name "$env:LAB_ROOT/stand-ins/Windows.psm1" -Global
$labArguments = @{}
foreach ($word in @($args | Select-Object -Skip 1)) {
    $labName, $labValue = $word.TrimStart('-') -split '=', 2
    if ($null -eq $labValue) {
        $labValue = $true
    }
    $labArguments[$labName] = $labValue
}
if ($env:LAB_LANGUAGE) {
    $ExecutionContext.SessionState.LanguageMode = $env:LAB_LANGUAGE
}
# Left as it is by a script that does not parse.
$global:LASTEXITCODE = 70
. $args[0] @labArguments
exit $LASTEXITCODE
