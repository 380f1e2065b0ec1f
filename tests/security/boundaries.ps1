# Reads values as runbooks read them: the functions of the engine that look at them are taken from
# engine.ps1 and run here unchanged, with a clock and a list of groups of this file.
#
# -Cases is a file of JSON: [{ "reader": "...", "text": "...", ... }]; out comes a list of answers in the
# same order, each a text. Every text of a case has a sign in front, or ConvertFrom-Json would make
# a time of some.
param ([string] $Engine, [string] $Cases)

$ErrorActionPreference = 'Stop'

$parsed = [System.Management.Automation.Language.Parser]::ParseFile(
    $Engine, [ref] $null, [ref] $null)
$functions = $parsed.FindAll({ $args[0].GetType().Name -eq 'FunctionDefinitionAst' }, $false)
foreach ($function in $functions | Where-Object { $_.Name -in
        'Get-WindowProblem', 'Get-RightsProblem', 'Get-LocalText', 'Get-AgeProblem' }) {
    . ([scriptblock]::Create($function.Extent.Text))
}

$invariant = [System.Globalization.CultureInfo]::InvariantCulture
$script:now = [datetime]::new(2027, 1, 1, 0, 0, 0, [System.DateTimeKind]::Utc)
function Get-Date { $script:now }
function Get-Field ($Object, [string] $Name) { $Object.$Name }

# Whether the engine lets a change begin at this instant, given in ticks of UTC.
function Test-Open($case, [long] $ticks) {
    $script:now = [datetime]::new($ticks, [System.DateTimeKind]::Utc)
    -not (Get-WindowProblem)
}

function Read-Window($case) {
    $script:Runbook = @{ Window = $case.text, $case.until; Culture = $invariant; Given = @{} }
    # Open exactly from the first instant on, and no longer at the last one.
    $from, $until = [long] $case.fromTicks, [long] $case.untilTicks
    "$(Test-Open $case ($from - 1)) $(Test-Open $case $from) " +
    "$(Test-Open $case ($until - 1)) $(Test-Open $case $until)"
}

# The lines of whoami.exe /groups /fo csv /nh.
function Read-Member($case) {
    $answers = foreach ($name in $case.text, "x$($case.text)", "$($case.text)x") {
        $sid = 'S-1-5-21-1-2-3-4'
        if ($name -match '^.?S-1-[0-9-]+x?$') { $sid, $name = $name, 'Some group' }
        $script:Runbook = @{ Commands = @(); Members = @($case.text); Rights = 'Ask.' }
        $script:Runbook.Groups = @(
            '"Everyone","Well-known group","S-1-1-0","Mandatory group, Enabled by default"'
            "`"CONTOSO\$name`",`"Group`",`"$sid`",`"Mandatory group, Enabled by default`""
        )
        -not (Get-RightsProblem)
    }
    $answers -join ' '
}

# The parts of a SID, as Windows keeps them.
function Read-Sid($case) {
    $parts = $case.text.Substring(4).Split('-')
    $authority = [uint64]::Parse($parts[0], 'None', $invariant)
    $below = @($parts[1..15] | Where-Object { $_ } |
            ForEach-Object { [uint32]::Parse($_, 'None', $invariant) })
    if ($authority -ge 4294967296) { return 'an authority that Windows writes in another way' }
    "S-1-$authority-$($below -join '-')"
}

function Read-Hours($case) {
    $need = @{ Id = 'a'; Hours = $case.text -as [int] }
    $script:Runbook = @{ Culture = $invariant }
    $answers = foreach ($seconds in -1, 1) {
        $end = $script:now.AddHours(- $case.text).AddSeconds($seconds)
        $found = @{ End = $end; Path = 'a'; Receipt = @{ host = 'a' } }
        -not (Get-AgeProblem -Need $need -Found $found)
    }
    $answers -join ' '
}

function Read-Address($case) {
    $uri = [uri] $case.text
    "$($uri.Scheme) $($uri.Host) $($uri.Port) $($uri.AbsolutePath) " +
    "$($uri.IsWellFormedOriginalString())"
}

$list = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Cases))
$answers = foreach ($case in $list) {
    foreach ($field in $case.PSObject.Properties) { $field.Value = $field.Value.Substring(1) }
    try {
        switch ($case.reader) {
            'window' { Read-Window $case }
            'member' { Read-Member $case }
            'sid' { Read-Sid $case }
            'hours' { Read-Hours $case }
            'address' { Read-Address $case }
            'mail' { [System.Net.Mail.MailAddress]::new($case.text).Address }
            'hexadecimal' {
                [System.BitConverter]::ToString([System.Convert]::FromHexString($case.text))
            }
            'path' {
                $name = [System.IO.Path]::GetFileName("/Runbook/$($case.text)")
                $pattern = [System.Management.Automation.WildcardPattern]
                "$name $($pattern::ContainsWildcardCharacters($name))"
            }
        }
    } catch {
        "not read: $($_.Exception.GetBaseException().Message)"
    }
}
ConvertTo-Json -InputObject @($answers) -Compress
