# Asks PowerShell's own parser, for many cases in one process: one line of JSON in, one line out.
#
# { kind = 'value'; text = '...' }    the source of a literal: out comes its value, written as
#     canonical text (see Get-Canonical), or what else stands in it than a literal may have.
# { kind = 'comment'; text = '...' }  lines of a script: out comes 'comment' when they are nothing
#     else, or what is.
# { kind = 'shape'; path = '...' }    a script: out comes the hash of its syntax without values.
# { kind = 'strings'; path = '...' }  a script: out come its strings in order, as canonical text; a
#     value in pieces is one string.

$language = 'System.Management.Automation.Language'
$literal = @{}
foreach ($name in 'ScriptBlock', 'NamedBlock', 'Pipeline', 'CommandExpression', 'ParenExpression',
    'BinaryExpression', 'ConvertExpression', 'TypeConstraint', 'ConstantExpression',
    'StringConstantExpression', 'ArrayExpression', 'ArrayLiteral', 'StatementBlock', 'Hashtable',
    'VariableExpression') {
    $literal["$language.${name}Ast"] = $true
}

function Get-Parsed([string] $text) {
    $tokens = $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseInput(
        $text, [ref] $tokens, [ref] $errors)
    @{ Tree = $tree; Tokens = $tokens; Errors = $errors }
}

# What stands in a piece of a script that a literal may not be made of; nothing when it is one.
function Get-Foreign($piece) {
    foreach ($node in $piece.FindAll({ $true }, $true)) {
        $kind = $node.GetType().FullName
        if (-not $literal[$kind]) { $kind }
        elseif ($kind -like '*.BinaryExpressionAst' -and $node.Operator -ne 'Plus') {
            "operator $($node.Operator)"
        } elseif ($kind -like '*.TypeConstraintAst' -and $node.TypeName.FullName -ne 'char') {
            "cast to $($node.TypeName.FullName)"
        } elseif ($kind -like '*.VariableExpressionAst' -and
            $node.VariablePath.UserPath -notin 'true', 'false', 'null') {
            "variable $node"
        } elseif ($kind -like '*.StringConstantExpressionAst' -and
            $node.StringConstantType -ne 'SingleQuoted') {
            "string $($node.StringConstantType)"
        }
    }
}

# A value with its type, the text of strings as UTF-16 code units.
function Get-Canonical($value) {
    if ($null -eq $value) { return 'null' }
    if ($value -is [bool]) { return "bool $value" }
    if ($value -is [int] -or $value -is [long]) { return "int $value" }
    if ($value -is [string]) {
        # An encoding would replace a lone surrogate: the memory of the string has every unit.
        $bytes = [byte[]]::new(2 * $value.Length)
        [System.Buffer]::BlockCopy($value.ToCharArray(), 0, $bytes, 0, $bytes.Length)
        return "text $([System.BitConverter]::ToString($bytes).Replace('-', ''))"
    }
    if ($value -is [hashtable]) {
        $entries = foreach ($key in $value.Keys) {
            "$(Get-Canonical $key)=$(Get-Canonical $value[$key])"
        }
        [string[]] $sorted = @($entries)
        [System.Array]::Sort($sorted, [System.StringComparer]::Ordinal)
        return "table($($sorted -join ','))"
    }
    if ($value -is [array]) {
        $items = foreach ($item in $value) { Get-Canonical $item }
        return "list($(@($items) -join ','))"
    }
    "another type: $($value.GetType().FullName)"
}

function Test-Value([string] $text) {
    $parsed = Get-Parsed $text
    if ($parsed.Errors) { return "does not parse: $($parsed.Errors[0].Message)" }
    $foreign = @(Get-Foreign $parsed.Tree)
    if ($foreign) { return "no literal: $($foreign[0])" }
    if (@($parsed.Tree.EndBlock.Statements).Count -ne 1) { return 'not one expression' }
    # As scripts use it: given to a variable. A pipeline would unroll a list.
    & ([scriptblock]::Create("`$given = $text`nGet-Canonical `$given"))
}

function Test-Comment([string] $text) {
    $parsed = Get-Parsed $text
    $other = @($parsed.Tokens | Where-Object { $_.Kind -notin 'Comment', 'NewLine', 'EndOfInput' })
    if ($parsed.Errors -or $other -or $parsed.Tree.ScriptRequirements) {
        return "not only comments: $($other[0])"
    }
    'comment'
}

# The syntax of a script without its values: the kinds of the nodes in order, with names of
# commands, parameters, variables, members and types, and with whole strings that hold code.
function Get-Shape([string] $path) {
    $parsed = Get-Parsed ([System.IO.File]::ReadAllText($path))
    if ($parsed.Errors) { return "does not parse: $($parsed.Errors[0].Message)" }
    $shape = [System.Text.StringBuilder]::new()
    $behind = 0
    foreach ($node in $parsed.Tree.FindAll({ $true }, $true)) {
        if ($node.Extent.StartOffset -lt $behind) { continue }
        $kind = $node.GetType().Name
        $more = switch ($kind) {
            'StringConstantExpressionAst' {
                if ($node.StringConstantType -eq 'BareWord') { $node.Value }
            }
            'ExpandableStringExpressionAst' { $node.Extent.Text }
            'VariableExpressionAst' { $node.VariablePath.UserPath }
            'CommandParameterAst' { $node.ParameterName }
            'TypeConstraintAst' { $node.TypeName.FullName }
            'TypeExpressionAst' { $node.TypeName.FullName }
            'BinaryExpressionAst' { $node.Operator }
            'ParenExpressionAst' {
                # What the filters make of a value with unusual characters is one string.
                if (-not @(Get-Foreign $node | Select-Object -First 1)) {
                    $kind = 'StringConstantExpressionAst'
                    $behind = $node.Extent.EndOffset
                }
            }
        }
        $null = $shape.Append("$kind $more;")
    }
    $null = $shape.Append("requires $($parsed.Tree.ScriptRequirements.RequiredPSVersion)")
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($shape.ToString())
    $hash = [System.Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
    [System.BitConverter]::ToString($hash).Replace('-', '')
}

# Every string of a script as its reader meets it: whole, whatever it is made of.
function Get-Strings([string] $path) {
    $parsed = Get-Parsed ([System.IO.File]::ReadAllText($path))
    if ($parsed.Errors) { return "does not parse: $($parsed.Errors[0].Message)" }
    $behind = 0
    $found = foreach ($node in $parsed.Tree.FindAll({ $true }, $true)) {
        if ($node.Extent.StartOffset -lt $behind) { continue }
        if ($node -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            if ($node.StringConstantType -eq 'SingleQuoted') { Get-Canonical $node.Value }
        } elseif ($node -is [System.Management.Automation.Language.ParenExpressionAst] -and
            -not @(Get-Foreign $node | Select-Object -First 1)) {
            # A list in parentheses is no string: its parts come by themselves.
            $value = & ([scriptblock]::Create("$node"))
            if ($value -is [string]) {
                Get-Canonical $value
                $behind = $node.Extent.EndOffset
            }
        }
    }
    @($found) -join ','
}

while ($null -ne ($line = [System.Console]::In.ReadLine())) {
    $case = ConvertFrom-Json -InputObject $line
    $answer = try {
        switch ($case.kind) {
            'value' { Test-Value $case.text }
            'comment' { Test-Comment $case.text }
            'shape' { Get-Shape $case.path }
            'strings' { Get-Strings $case.path }
        }
    } catch {
        "thrown: $($_.Exception.Message)"
    }
    [System.Console]::Out.WriteLine(($answer -join ' ').Replace("`n", ' '))
}
