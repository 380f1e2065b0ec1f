# =====================================================================================
# Engine - from here to the end of the file every runbook has the same text
#   1 Tools      2 Evidence      3 Guards      4 Receipts      5 Judging a step
#   6 Working a step             7 Hold points, waits, checks      8 The run
# All state stands in the table $Runbook, which is read-only while the vendor's shell loads.
# Whatever can refuse answers with sentences; they are collected and shown together.
# =====================================================================================

# --- 1 Tools -------------------------------------------------------------------------
function Exit-Runbook ([int] $Code, [string] $Message) {
    # Ends the run with one sentence and one exit code.
    $problem = New-Object -TypeName System.InvalidOperationException -ArgumentList $Message
    $problem.Data['RunbookExitCode'] = $Code
    throw $problem
}

function Get-UtcText ([datetime] $At = (Get-Date)) {
    # Through Get-Date, never [DateTime]::UtcNow: a rehearsal can then set the clock.
    $At.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ss.fffZ', $Runbook.Culture)
}

function Get-LocalText ([datetime] $At = (Get-Date)) {
    # What the operator's watch shows, with its offset.
    $At.ToLocalTime().ToString('yyyy-MM-dd HH:mm:ss zzz', $Runbook.Culture)
}

function Get-BytesHash ([byte[]] $Bytes) {
    # The only SHA-256 that .NET Framework allows in FIPS mode on every version.
    $sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
    [System.BitConverter]::ToString($sha.ComputeHash($Bytes)).Replace('-', '').ToLowerInvariant()
}

function Get-ContentHash ([string] $Path, [string] $OwnHash) {
    # Without signature block, own hash as zeros. Signers seek the marks of a block: none is whole.
    $text = $Runbook.Latin.GetString([System.IO.File]::ReadAllBytes($Path))
    $marks = $text.ToLowerInvariant() -csplit 'sig # (?:begin|end) sig[n]ature block'
    $block = '(?<!\A)\r\n# SIG # Begin sig[n]ature block(\r\n# ~{64})*\r\n# (~{4}){0,15}~(~(~~|' +
    '[AEIMQUYcgkosw048]=)|[AQgw]==)\r\n# SIG # End sig[n]ature block\r\n\z'
    if ($marks.Count -eq 3) { $text = $text -creplace $block.Replace('~', '[A-Za-z0-9+/]') }
    Get-BytesHash -Bytes $Runbook.Latin.GetBytes($text.Replace($OwnHash, '0' * 64))
}

function ConvertTo-RunbookJson ([object] $Value) {
    # Deep enough for every record; the default depth of two would cut them.
    ConvertTo-Json -InputObject $Value -Depth 8 -Compress
}

function Read-RunbookJson ([string] $Path) {
    # What the file says, or nothing when it is not there; an empty or cut one is an error.
    if (-not [System.IO.File]::Exists($Path)) { return }
    $text = [System.IO.File]::ReadAllText($Path)
    $value = try { ConvertFrom-Json -InputObject $text } catch { 'no table' }
    if ($value -isnot [System.Management.Automation.PSCustomObject]) {
        Exit-Runbook -Code 2 -Message ("$Path is empty, cut or was written by hand. Leave it " +
            "there, and call $($Runbook.Help).")
    }
    $value
}

function Get-Field ([object] $Object, [string] $Name) {
    # A field that may be missing, without strict mode ending the run.
    $property = $Object.PSObject.Properties[$Name]
    if ($property) { $property.Value }
}

function Get-FailureText ([System.Management.Automation.ErrorRecord] $Failure) {
    # The command that failed, where PowerShell knows it, and what it said.
    $command = [string] $Failure.CategoryInfo.Activity
    if ($command -notmatch '^\w+-\w+$') { $command = [string] $Failure.InvocationInfo.MyCommand }
    $text = $Failure.Exception.GetBaseException().Message
    if ($command -match '^\w+-\w+$') { $text = "${command}: $text" }
    $text
}

function Write-RunbookFile ([string] $Path, [object] $Value) {
    # Whole file or none, on the disk when this returns.
    $bytes = $Runbook.Utf8.GetBytes((ConvertTo-RunbookJson -Value $Value))
    $fresh = $Path + '.new'
    $stream = New-Object -TypeName System.IO.FileStream -ArgumentList $fresh, 'Create', 'Write'
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        $stream.Flush($true)
    } finally {
        $stream.Dispose()
    }
    if ([System.IO.File]::Exists($Path)) {
        [System.IO.File]::Replace($fresh, $Path, [NullString]::Value)
    } else {
        [System.IO.File]::Move($fresh, $Path)
    }
}

# --- 2 Evidence: what the operator sees is what is recorded --------------------------
function Write-RunbookEvent ([string] $Status, [string] $Message, [int] $Number, [object] $Data) {
    # One line on the screen in local time, one record in the evidence in UTC, chained.
    $clock = (Get-Date).ToString('HH:mm:ss zzz', $Runbook.Culture)
    $step = ''
    if ($Number -gt 0) { $step = $Number }
    Write-Host -Object ('{0} {1,2}  {2,-9} {3}' -f $clock, $step, $Status, $Message)
    if (-not $Runbook.Evidence) { return }
    $line = ConvertTo-RunbookJson -Value ([ordered] @{
            at = Get-UtcText; run = $Runbook.Run; preview = $Runbook.Preview; step = $Number
            status = $Status; message = $Message; data = $Data; prev = $Runbook.Previous
        })
    Add-EvidenceLine -Bytes $Runbook.Utf8.GetBytes($line + "`n")
    $Runbook.Previous = Get-BytesHash -Bytes $Runbook.Utf8.GetBytes($line)
}

function Write-StepEvent ([hashtable] $Step, [string] $Status, [object[]] $Lines, [object] $Data) {
    # The same for a step, whose id comes first.
    foreach ($line in $Lines) {
        $more = @{ Number = $Step.Number; Status = $Status; Data = $Data }
        Write-RunbookEvent @more -Message "$($Step.Id): $line"
    }
}

function Add-EvidenceLine ([byte[]] $Bytes) {
    # One retry, from where the line began: a scanner may be in the way for a moment. Without
    # evidence the run ends; its last words still reach the screen, its receipt the disk.
    $stream = $Runbook.Evidence
    foreach ($try in 1, 2) {
        try {
            $stream.SetLength($Runbook.EvidenceLength)
            $stream.Position = $Runbook.EvidenceLength
            $stream.Write($Bytes, 0, $Bytes.Length)
            $stream.Flush($true)
            break
        } catch {
            if ($try -eq 2) {
                $Runbook.Evidence = $null
                throw
            }
            Start-Sleep -Seconds 1
        }
    }
    $Runbook.EvidenceLength += $Bytes.Length
}

function Open-RunbookEvidence ([string] $Path) {
    # Continues the chain of earlier runs. A line cut short by a crash stays, and is chained.
    $Runbook.EvidencePath = $Path
    $Runbook.Previous = '0' * 64
    if ([System.IO.File]::Exists($Path)) {
        $text = $Runbook.Latin.GetString([System.IO.File]::ReadAllBytes($Path))
        if ($text -and -not $text.EndsWith("`n", [System.StringComparison]::Ordinal)) {
            [System.IO.File]::AppendAllText($Path, "`n")
        }
        $last = $text.TrimEnd([char] 10).Split([char] 10)[-1]
        if ($last) { $Runbook.Previous = Get-BytesHash -Bytes $Runbook.Latin.GetBytes($last) }
    }
    $open = $Path, 'OpenOrCreate', 'Write', 'Read'
    $Runbook.Evidence = New-Object -TypeName System.IO.FileStream -ArgumentList $open
    $Runbook.EvidenceLength = $Runbook.Evidence.Length
}

function Add-Override ([string] $Message) {
    # Who went past a gate, and why, stands in evidence and receipt.
    $text = "$Message Overridden: $($Runbook.Given.Reason)"
    if ($Runbook.Overrides -contains $text) { return }
    $Runbook.Overrides += $text
    Write-RunbookEvent -Status 'override' -Message $text
}

# --- 3 Guards: nothing is changed until all of them agree ----------------------------
function Assert-NoProblem ([object[]] $Problems, [string] $Status = 'refused', [int] $Code = 2) {
    # Ends a run that met problems; a preview reports them and goes on.
    $problems = @($Problems | Where-Object -FilterScript { $_ })
    foreach ($problem in $problems) { Write-RunbookEvent -Status $Status -Message $problem }
    $Runbook.Closed += $problems.Count
    if ($problems.Count -gt 0 -and -not ($Runbook.Preview -and $Runbook.Folder)) {
        $text = "$($problems.Count) reason(s) to stop. Do what the lines above say."
        Exit-Runbook -Code $Code -Message $text
    }
}

function Get-PlaceProblem {
    # Facts come through commands and programs, so that a rehearsal can answer for a server.
    $whoami = "$env:SystemRoot\System32\whoami.exe"
    $Runbook.Operator = [string] (& $whoami)
    $Runbook.Groups = @(& $whoami '/groups' '/fo' 'csv' '/nh')
    $system = Get-CimInstance -ClassName 'Win32_ComputerSystem' -ErrorAction Stop
    $here = "$env:COMPUTERNAME.$($system.Domain)"
    $wanted = "$($Runbook.Host).$($Runbook.Domain)"
    if (-not $here.Equals($wanted, [System.StringComparison]::OrdinalIgnoreCase)) {
        "This runbook is for $wanted and this is $here. Run it there."
    }
    $edition = Get-Variable -Name 'PSVersionTable' -ValueOnly
    $Runbook.PowerShell = '{0} {1}' -f $edition['PSVersion'], $edition['PSEdition']
    if ($env:PROCESSOR_ARCHITECTURE -ne 'AMD64' -or $edition['PSVersion'].Major -gt 5) {
        "This is PowerShell $($Runbook.PowerShell) ($env:PROCESSOR_ARCHITECTURE). Start the " +
        '64-bit Windows PowerShell, powershell.exe.'
    }
    # 12288 is the high integrity level. Membership of Administrators alone proves nothing.
    $level = 0
    foreach ($line in $Runbook.Groups) {
        if ($line -cmatch '"S-1-16-([0-9]+)"') { $level = [int] $Matches[1] }
    }
    if ($level -lt 12288) {
        'This window is not elevated. Start Windows PowerShell with Run as administrator.'
    }
    $hash = Get-ContentHash -Path $PSCommandPath -OwnHash $Runbook.ContentHash
    if ($hash -ne $Runbook.ContentHash) {
        "The text of this file was changed (now $hash). Fetch the approved file again."
    }
    if ($Runbook.Signer) { Get-SignerProblem -Path $PSCommandPath -Signer $Runbook.Signer -Own }
}

function Get-ParameterProblem {
    # An override without a reason, or one that names nothing, must not pass in silence.
    $given = $Runbook.Given
    $override = $given.OutsideWindow -or $given.SkipReceipt -or $given.KeepPresent -or
    $given.AcceptRisk
    if ($override -and -not $given.Reason) {
        "An override needs -Reason '...'. Give the reason that the auditor shall read."
    }
    foreach ($name in $given.KeepPresent) {
        $fits = @($Runbook.Steps | Where-Object -FilterScript {
                $_['Apply'] -and (Test-Kept -Step $_ -Name ($name -split '\.')[-1]) })
        if ($fits.Count -eq 0) {
            "-KeepPresent $name names no value here. Write 'step.name' as a line above shows " +
            "it; in undo a step stays whole: 'step'."
        }
    }
    foreach ($name in $given.AcceptRisk) {
        $fits = @($Runbook.Steps | Where-Object -FilterScript { $_['Risk'] -and $_.Id -eq $name })
        if ($fits.Count -eq 0) { "-AcceptRisk $name names no risk here. Leave it out." }
        if ($given.Unattended) {
            "-AcceptRisk $name is asked, so it cannot be given with -Unattended."
        }
    }
    if ($given.ReceiptPath) {
        $resolver = $ExecutionContext.SessionState.Path
        $given.ReceiptPath = $resolver.GetUnresolvedProviderPathFromPSPath($given.ReceiptPath)
        if (-not [System.IO.Directory]::Exists($given.ReceiptPath)) {
            "-ReceiptPath $($given.ReceiptPath) is no folder. Give the folder of the receipts."
        }
    }
}

function Get-OwnerProblem ([string] $Path) {
    # A file or folder that others own could steer this run. SDDL reads alike in any language.
    $attributes = [System.IO.File]::GetAttributes($Path)
    if ($attributes -band [System.IO.FileAttributes]::ReparsePoint) {
        "$Path is a link. Ask who made it, and remove it."
    } elseif ((Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl -cnotmatch '^O:(BA|SY)G:') {
        "$Path belongs to neither Administrators nor SYSTEM. Ask who made it, and remove it."
    }
}

function Test-OnlyOurs ([string] $Path) {
    # Administrators and SYSTEM have full rights on the folder, nothing inherited, nobody else.
    $only = 'D:P[A-Z]*\(A;OICI;FA;;;(BA\)\(A;OICI;FA;;;SY|SY\)\(A;OICI;FA;;;BA)\)$'
    (Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl -cmatch $only
}

function Initialize-Folder ([string] $Path) {
    # Rights are given by SID: any language of Windows. What lies in the folder is judged by
    # owner only while the folder was not ours yet: afterwards nobody else could put it there.
    $icacls = "$env:SystemRoot\System32\icacls.exe"
    $new = -not [System.IO.Directory]::Exists($Path)
    if ($new) {
        $null = [System.IO.Directory]::CreateDirectory($Path)
        $null = & $icacls $Path '/setowner' '*S-1-5-32-544'
    }
    Assert-NoProblem -Problems (Get-OwnerProblem -Path $Path)
    if (Test-OnlyOurs -Path $Path) { return }
    # Explorer adds an entry for whoever opens the folder with it: such entries go, and are told.
    $found = (Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl
    $null = & $icacls $Path '/reset'
    $rights = '*S-1-5-32-544:(OI)(CI)F', '*S-1-5-18:(OI)(CI)F'
    $null = & $icacls $Path '/inheritance:r' '/grant:r' $rights[0] $rights[1]
    if (-not (Test-OnlyOurs -Path $Path)) {
        $now = (Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl
        Exit-Runbook -Code 2 -Message ("The rights of $Path could not be closed to others: $now. " +
            "Run: icacls.exe `"$Path`" /reset, then icacls.exe `"$Path`" /inheritance:r /grant:r " +
            "$($rights -join ' '), then run this again.")
    }
    if ($new) { return }
    $Runbook.TakenAway += "$Path had the rights $found; those of others were taken away."
    $files = [System.IO.Directory]::GetFileSystemEntries($Path)
    Assert-NoProblem -Problems @($files | ForEach-Object -Process { Get-OwnerProblem -Path $_ })
}

function Open-RunbookFolder {
    # The fixed folder of this change; one run at a time in it.
    $parent = Join-Path -Path $env:ProgramData -ChildPath 'Runbook'
    $folder = Join-Path -Path $parent -ChildPath $Runbook.Change
    Initialize-Folder -Path $parent
    Initialize-Folder -Path $folder
    $lock = Join-Path -Path $folder -ChildPath 'lock'
    $holder = Join-Path -Path $folder -ChildPath 'lock.json'
    try {
        $open = $lock, 'OpenOrCreate', 'Write', 'None'
        $Runbook.Lock = New-Object -TypeName System.IO.FileStream -ArgumentList $open
    } catch [System.IO.IOException] {
        $by = Read-RunbookJson -Path $holder
        if ($by) { $by = ": $($by.runbook), process $($by.process) of $($by.operator)" }
        Exit-Runbook -Code 2 -Message ("Another runbook of $($Runbook.Change) is running on this " +
            "server$by. Wait for its end.")
    }
    Open-RunbookEvidence -Path (Join-Path -Path $folder -ChildPath "$($Runbook.Id).jsonl")
    $Runbook.Folder = $folder
    Write-RunbookFile -Path $holder -Value ([ordered] @{
            process = $PID; operator = $Runbook.Operator; runbook = $Runbook.Id; since = Get-UtcText
        })
    $text = "$($Runbook.Id) $($Runbook.ContentHash)"
    Write-RunbookEvent -Status 'open' -Message $text -Data ([ordered] @{
            host = $env:COMPUTERNAME; operator = $Runbook.Operator; file = $PSCommandPath
            powershell = $Runbook.PowerShell; parameters = $Runbook.Given
        })
    foreach ($text in $Runbook.TakenAway) { Write-RunbookEvent -Status 'rights' -Message $text }
    foreach ($name in $Runbook.Given.KeepPresent) { Add-Override -Message "$name is kept." }
}

function Get-WindowProblem {
    # Only a changing runbook has a window; its times carry their offset from UTC.
    if (-not $Runbook.Window) { return }
    $from = [System.DateTimeOffset]::Parse($Runbook.Window[0], $Runbook.Culture).UtcDateTime
    $until = [System.DateTimeOffset]::Parse($Runbook.Window[1], $Runbook.Culture).UtcDateTime
    $now = (Get-Date).ToUniversalTime()
    if ($now -ge $from -and $now -lt $until) { return }
    $text = "It is $(Get-LocalText), outside the change window $($Runbook.Window -join ' to ')."
    if ($Runbook.Preview) { return Write-RunbookEvent -Status 'window' -Message $text }
    if ($Runbook.Given.OutsideWindow) { return Add-Override -Message $text }
    "$text Come back in time, or use -OutsideWindow -Reason '...'."
}

function Get-RightsProblem {
    # A cmdlet that is not visible is a role that is missing; Skype judges by group instead.
    $missing = @($Runbook.Commands | Where-Object -FilterScript {
            -not (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    if ($missing.Count -gt 0) {
        "These commands are not visible: $($missing -join ', '). $($Runbook.Rights)"
    }
    # Ordinal: in Turkish the small letter of I is another one.
    $ordinal = [System.StringComparison]::OrdinalIgnoreCase
    foreach ($group in $Runbook.Members) {
        $is = @($Runbook.Groups | Where-Object -FilterScript {
                $_.IndexOf("\$group`"", $ordinal) -ge 0 -or
                $_.IndexOf("`"$group`"", $ordinal) -ge 0 })
        if ($is.Count -eq 0) { "You are not in the group $group. $($Runbook.Rights)" }
    }
}

# --- 4 Receipts: what ran before this, in which order, on which host -----------------
function Get-TableProblem {
    # Reads which content hashes count for which runbook: the table in Start-Change.ps1. No runbook
    # holds the hash of another, so that mending one changes no other. It is text here, never run.
    $folder = [System.IO.Path]::GetDirectoryName($PSCommandPath)
    if ($Runbook.Id -cmatch '^[0-9]+-[0-9]+-undo-') {
        $folder = [System.IO.Path]::GetDirectoryName($folder)
    }
    $path = Join-Path -Path $folder -ChildPath 'Start-Change.ps1'
    if (-not [System.IO.File]::Exists($path)) {
        return "There is no $path. Copy the whole folder of the change to this server."
    }
    if ($Runbook.Signer) { Get-SignerProblem -Path $path -Signer $Runbook.Signer -Own }
    $id = ''
    foreach ($line in [System.IO.File]::ReadAllLines($path)) {
        if ($line -cmatch "^    @\{ Id = '([A-Za-z0-9._-]+)'$") {
            $id = $Matches[1]
            $Runbook.Table[$id] = @()
        } elseif ($id -and $line -cmatch "^        (?:Counts = )?'([0-9a-f]{64})'(?:,| \})$") {
            $Runbook.Table[$id] += $Matches[1]
        }
    }
    if ($Runbook.Table[$Runbook.Id] -notcontains $Runbook.ContentHash) {
        "$path is of another build than this file. Use the files of one package only."
    }
}

function Get-Gate {
    # The gates one by one: a need for all runbooks of one action is one for each in the table.
    foreach ($need in $Runbook.Needs) {
        $ids = @($need['Id'])
        if ($need['All']) {
            $ids = @($Runbook.Table.Keys | Where-Object -FilterScript {
                    $_ -cmatch "^[0-9]+-[0-9]+-$($need.All)_" } | Sort-Object)
        }
        foreach ($id in $ids) { @{ Id = $id; Hours = $need['Hours'] } }
    }
}

function Find-Receipt ([string] $Id) {
    # Of two copies the later one decides: both were written by one host, with one clock.
    # An empty, cut or foreign file is a missing receipt, and is named once.
    $best = $null
    $folders = @($Runbook.Folder; $Runbook.Given.ReceiptPath)
    foreach ($folder in $folders | Where-Object -FilterScript { $_ }) {
        $path = Join-Path -Path $folder -ChildPath "$Id.receipt.json"
        try {
            $receipt = Read-RunbookJson -Path $path
            if (-not $receipt) { continue }
            $end = ([datetime] $receipt.end).ToUniversalTime()
            if ($receipt.runbook -ne $Id -or $receipt.change -ne $Runbook.Change) { throw 'other' }
            if ($best -and $end -le $best.End) { continue }
            $hash = Get-BytesHash -Bytes ([System.IO.File]::ReadAllBytes($path))
            $best = @{ Path = $path; Hash = $hash; End = $end; Receipt = $receipt }
        } catch {
            if ($Runbook.Faults -contains $path) { continue }
            $Runbook.Faults += $path
            $text = "$path counts as missing: it is empty, cut, or of another runbook or change."
            Write-RunbookEvent -Status 'receipt' -Message $text
        }
    }
    $best
}

function Get-AgeProblem ([hashtable] $Need, [hashtable] $Found) {
    # A receipt of this host from the future tells nothing about its age. Other hosts have other
    # clocks, which are never compared; that of a preflight only roughly, for its expiry.
    $ahead = $Found.End - (Get-Date).ToUniversalTime()
    $from = [string] (Get-Field -Object $Found.Receipt -Name 'host')
    $here = $from -eq $env:COMPUTERNAME
    $at = Get-LocalText -At $Found.End
    if ($here -and $ahead.Ticks -gt 0 -and $ahead.TotalMinutes -le 5 -and -not $Runbook.Preview) {
        # A clock that was corrected by moments: until then is soon.
        $text = "The receipt of $($Need.Id) ended at $at by this clock: waiting until then."
        Write-RunbookEvent -Status 'clock' -Message $text
        Start-Sleep -Seconds ([int] [System.Math]::Ceiling($ahead.TotalSeconds) + 1)
        $ahead = $Found.End - (Get-Date).ToUniversalTime()
    }
    $ended = "The receipt of $($Need.Id) ended on $from at $at, which is"
    if (($here -and $ahead.Ticks -gt 0) -or ($Need.Hours -and $ahead.TotalHours -gt 1)) {
        "$ended still to come: a clock was set back. Set the clocks right, delete " +
        "$($Found.Path), and run $($Need.Id) again."
    } elseif ($Need.Hours -and $ahead.TotalHours -lt - $Need.Hours) {
        "$ended more than $($Need.Hours) hours ago. Run $($Need.Id) again."
    }
}

function Get-ReceiptProblem ([hashtable] $Need) {
    # The receipt of an approved text, completed, not undone, from the order that was kept.
    $id = $Need.Id
    $found = Find-Receipt -Id $id
    if (-not $found) {
        return "There is no receipt of $id. Run it, or carry its receipt here (-ReceiptPath)."
    }
    # The outcome first, so that the operator is told the right thing.
    $receipt = $found.Receipt
    $outcome = Get-Field -Object $receipt -Name 'outcome'
    if ($Runbook.Good -notcontains $outcome) {
        return "$id ended as '$outcome'. Run it again until it is completed."
    }
    if ($Runbook.Table[$id] -notcontains (Get-Field -Object $receipt -Name 'hash')) {
        return "$($found.Path) is from another text of $id. Run $id of this package again."
    }
    $problem = Get-AgeProblem -Need $Need -Found $found
    if ($problem) { return $problem }
    foreach ($relied in @($receipt.relied | Where-Object -FilterScript { -not $_.expires })) {
        # A preflight that was only run again in time breaks no order.
        $earlier = Find-Receipt -Id $relied.id
        if ($earlier -and $earlier.Hash -ne $relied.hash) {
            return "$($relied.id) was run again after $id. Run $id again."
        }
    }
    $expires = [bool] $Need.Hours
    $Runbook.Relied += [ordered] @{ id = $id; hash = $found.Hash; expires = $expires }
    $state = @{}
    foreach ($one in @($receipt.steps)) { $state[$one.id] = ConvertTo-StepValue -Value $one.state }
    $Runbook.Past[$id] = @{ End = $found.End; State = $state }
    Write-RunbookEvent -Status 'receipt' -Message "relies on ${outcome}: $($found.Path)"
}

function Get-GateProblem {
    # Window, table and receipts. A predecessor that is missing or skipped is the fact 'unknown'.
    Get-WindowProblem
    $problem = @(Get-TableProblem)
    if ($problem) { return $problem }
    $gates = @(Get-Gate)
    foreach ($id in $Runbook.Given.SkipReceipt | Where-Object -FilterScript {
            @($gates | ForEach-Object -Process { $_.Id }) -notcontains $_ }) {
        "-SkipReceipt $id is no receipt that this runbook asks for."
    }
    foreach ($need in $gates) {
        $Runbook.Past[$need.Id] = 'unknown'
        $problem = Get-ReceiptProblem -Need $need
        $skipped = $Runbook.Given.SkipReceipt -contains $need.Id
        if ($problem -and $skipped) { $problem = Add-Override -Message $problem }
        $problem
    }
    # What an earlier run of this runbook changed and did not complete is still under way.
    $own = Find-Receipt -Id $Runbook.Id
    if ($own -and $Runbook.Good -notcontains $own.Receipt.outcome) {
        $Runbook.Dirty = [string] (Get-Field -Object $own.Receipt -Name 'touched') -eq 'True'
    }
}

function Save-Receipt ([System.Collections.IDictionary] $Receipt) {
    # Its end is later than that of the receipt it replaces, even if the clock was set back:
    # an older copy that was carried elsewhere must not win.
    $old = Find-Receipt -Id $Receipt.runbook
    $Receipt.end = Get-UtcText
    if ($old -and $old.End -ge (Get-Date).ToUniversalTime()) {
        $Receipt.end = Get-UtcText -At $old.End.AddMilliseconds(1)
        Write-RunbookEvent -Status 'clock' -Message ("The clock was set back: $($old.Path) ended " +
            "at $(Get-LocalText -At $old.End). Set it right, and tell who reads the evidence.")
    }
    $path = Join-Path -Path $Runbook.Folder -ChildPath "$($Receipt.runbook).receipt.json"
    Write-RunbookFile -Path $path -Value $Receipt
    Write-RunbookEvent -Status 'receipt' -Message "$($Receipt.outcome): $path"
}

function Clear-Receipt ([string[]] $Ids, [string] $Outcome) {
    # What is about to change makes these receipts untrue: that of the opposite direction, and
    # our own until this run has ended. A voided one stays, so that it beats older copies; ours is
    # written in any case: after a cut-off it says that the change is under way.
    foreach ($id in $Ids) {
        $path = Join-Path -Path $Runbook.Folder -ChildPath "$id.receipt.json"
        $there = $id -eq $Runbook.Id -or [System.IO.File]::Exists($path)
        if ($Runbook.Touched -or -not $there) { continue }
        Save-Receipt -Receipt ([ordered] @{
                runbook = $id; change = $Runbook.Change; outcome = $Outcome; by = $Runbook.Id
                touched = $Outcome -eq 'interrupted'
            })
    }
}

function Write-RunbookReceipt ([string] $Outcome) {
    # A run that only found everything done leaves a completed receipt as it is, unless it is
    # one of checks that rely on nothing lasting: a preflight, whose receipt grows old.
    $lasting = { -not $_.expires }
    $relied = @($Runbook.Relied | Where-Object -FilterScript $lasting)
    $old = Find-Receipt -Id $Runbook.Id
    if ($old -and -not $Runbook.Touched -and
        (Get-Field -Object $old.Receipt -Name 'hash') -eq $Runbook.ContentHash) {
        $Runbook.Changed = $old.Receipt.changed
        # A preflight that was run again since is no news for what was done by then.
        $then = @($old.Receipt.relied | Where-Object -FilterScript $lasting)
        $same = (ConvertTo-RunbookJson -Value $relied) -eq (ConvertTo-RunbookJson -Value $then)
        $roots = @($Runbook.Needs; $Runbook.Steps.Apply) | Where-Object -FilterScript {
            $_ -and -not ($_ -is [hashtable] -and $_['Hours']) }
        $good = $Runbook.Code -eq 0 -and $Runbook.Good -contains $old.Receipt.outcome
        if ($same -and $roots -and $good) { return }
    }
    foreach ($one in $Runbook.Results) { $one.state = $Runbook.Steps[$one.step - 1].Present }
    Save-Receipt -Receipt ([ordered] @{
            runbook = $Runbook.Id; change = $Runbook.Change; hash = $Runbook.ContentHash
            host = $env:COMPUTERNAME; operator = $Runbook.Operator; outcome = $Outcome
            start = $Runbook.Start; end = ''; changed = $Runbook.Changed
            touched = [bool] ($Runbook.Touched -or $Runbook.Dirty)
            relied = @($Runbook.Relied); overrides = @($Runbook.Overrides)
            steps = @($Runbook.Results); evidence = $Runbook.Previous
        })
}

# --- 5 Judging a step: reads and compares, changes nothing ---------------------------
function ConvertTo-StepValue ([object] $Value) {
    # Text, a sorted list of texts, or a table of them: one form for Read and for records.
    if ($Value -is [System.Collections.IDictionary]) { $Value = [pscustomobject] $Value }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $table = [ordered] @{}
        foreach ($property in $Value.PSObject.Properties) {
            $item = ConvertTo-StepValue -Value $property.Value
            # Cast again: 5.1 would write a wrapped list as a table with Count and value.
            if ($item -is [array]) { $item = [string[]] $item }
            $table[$property.Name] = $item
        }
        return $table
    }
    if ($Value -is [System.Collections.IEnumerable] -and $Value -isnot [string]) {
        $list = [string[]] @($Value)
        [System.Array]::Sort($list, [System.StringComparer]::OrdinalIgnoreCase)
        return , $list
    }
    [string] $Value
}

function Format-StepValue ([object] $Value) {
    # For the screen only: a stored list is never joined.
    if ($Value -is [System.Collections.IDictionary]) { return $Value.Text }
    $items = @($Value | Where-Object -FilterScript { $_ })
    if ($items.Count -eq 0) { return 'nothing' }
    "'" + ($items -join "', '") + "'"
}

function Test-StepValue ([object] $Wanted, [object] $Present) {
    # Equal as sets, so that one text and a list of one are the same; or matching a pattern.
    $have = @($Present | Where-Object -FilterScript { $_ })
    if ($Wanted -is [System.Collections.IDictionary]) {
        return $have.Count -eq 1 -and $have[0] -cmatch $Wanted.Pattern
    }
    $want = @($Wanted | Where-Object -FilterScript { $_ })
    $extra = @($have | Where-Object -FilterScript { $want -notcontains $_ })
    $missing = @($want | Where-Object -FilterScript { $have -notcontains $_ })
    $extra.Count + $missing.Count -eq 0
}

function Read-StepState ([hashtable] $Step) {
    # Sets Present: one table with the wanted names, and apart from them Identity and Source.
    $found = @(& $Step.Read $Step.Source $Runbook.Past)
    if ($found.Count -ne 1 -or $found[0] -isnot [System.Collections.IDictionary]) {
        throw "$($Step.Id): Read did not answer with one table. Call the author of the runbook."
    }
    $state = [ordered] @{ Identity = [ordered] @{}; Source = '' }
    $answer = ConvertTo-StepValue -Value $found[0]
    foreach ($name in $answer.Keys) { $state[$name] = $answer[$name] }
    $names = @($Step.Wanted.Keys) + 'Identity', 'Source'
    if (-not (Test-StepValue -Wanted $names -Present @($state.Keys))) {
        throw "$($Step.Id): Read answers other names than wanted. Call the author of the runbook."
    }
    $Step.Source = $state.Source
    $Step.Present = $state
    Compare-Step -Step $Step
}

function Get-RecordPath ([hashtable] $Step, [string] $Kind) {
    # An undo reads the before- and after-records of the runbook that it rolls back.
    $owner = $Runbook.Id
    if ($Runbook.Undoes -and ('Before', 'After') -contains $Kind) { $owner = $Runbook.Undoes }
    Join-Path -Path $Runbook.Folder -ChildPath "$owner.$($Step.Id).$Kind.json"
}

function Save-StepRecord ([hashtable] $Step, [string] $Kind, [string] $Proof) {
    # On disk before the change (before) and right after it (after).
    Write-RunbookFile -Path (Get-RecordPath -Step $Step -Kind $Kind) -Value ([ordered] @{
            runbook = $Runbook.Id; text = $Step.Text; at = Get-UtcText; proof = $Proof
            state = $Step.Present
        })
    $Step[$Kind] = Read-StepRecord -Step $Step -Kind $Kind
}

function Read-StepRecord ([hashtable] $Step, [string] $Kind) {
    # What an earlier run of the same text of this step recorded, or nothing.
    $path = Get-RecordPath -Step $Step -Kind $Kind
    $record = Read-RunbookJson -Path $path
    if (-not $record) { return }
    if ($record.text -ne $Step.Text) {
        Exit-Runbook -Code 2 -Message ("$path was written by another text of the step " +
            "$($Step.Id). Run the undo of the package that wrote it, then go on with this one.")
    }
    $state = ConvertTo-StepValue -Value $record.state
    $state.Proof = $record.proof
    $state
}

function Get-ServedText {
    # The receipts that actions and waits of this runbook serve; nothing when one is missing.
    $hashes = @($Runbook.Relied | Where-Object -FilterScript {
            $Runbook.Serves -contains $_.id } | ForEach-Object -Process { $_.hash })
    if ($hashes.Count -eq @($Runbook.Serves).Count) { "$hashes" }
}

function Save-ActionRecord ([hashtable] $Step, [string] $Ended = '') {
    # Begin and end of an action or a wait, by this host's own clock, and what it served.
    $begun = Get-UtcText
    if ($Ended) { $begun = $Step.Action.begun }
    Write-RunbookFile -Path (Get-RecordPath -Step $Step -Kind 'Action') -Value ([ordered] @{
            runbook = $Runbook.Id; text = $Step.Text; serves = [string] (Get-ServedText)
            begun = $begun; ended = $Ended
        })
    $Step.Action = Read-RunbookJson -Path (Get-RecordPath -Step $Step -Kind 'Action')
    $Step.Due = -not $Ended
}

function Test-Begun ([hashtable] $Step) {
    # Whether an action or a wait was begun for what it serves now.
    $Step.Action -and $Step.Action.serves -eq [string] (Get-ServedText)
}

function Test-Due ([hashtable] $Step) {
    # An action or a wait is due once for each receipt that it serves; without such receipts, once
    # for each change of the steps that it follows; without these, once.
    $served = [string] (Get-ServedText)
    $ended = $Step.Action -and $Step.Action.ended
    if ($Runbook.Serves) { return -not ($ended -and $served -and (Test-Begun -Step $Step)) }
    if (-not $Step.Follows) { return -not $ended }
    $changed = @($Runbook.Steps | Where-Object -FilterScript {
            $Step.Follows -contains $_.Id -and $Runbook.Touched -contains $_.Number })
    $Runbook.Dirty -or $changed.Count -gt 0 -or ($Step.Action -and -not $ended)
}

function Test-Pending ([hashtable] $Step) {
    # Whether a step will change something in this run, as far as is known before its turn.
    $Step.Later -or $Step.Waits -or $Step.Due -or ($Step.Apply -and $Step.Todo.Count -gt 0)
}

function Initialize-Step ([hashtable] $Step) {
    # Fills in what a step leaves out, and joins it with what earlier runs recorded.
    $defaults = @{
        Wanted = [ordered] @{}; Read = $null; Require = $null; Risk = $null; Apply = $null
        Ask = $null; Always = $false; WaitSeconds = 0; Follows = @(); Text = ''; Count = ''
        Otherwise = 'Run this again: it goes on from there.'; Diagnosis = @()
        TimeoutSeconds = 300 * [int] [bool] $Step['Apply']; EndsShell = $false
        Relaxed = $false; Repeats = $false; Replicates = $false; Waits = $false; Kept = $false
        Before = $null; After = $null; Action = $null; Present = $null; Target = $null
        Source = ''; Todo = @(); Unproven = @(); Later = $false; Due = $false; Past = $false
        RiskAccepted = $false
    }
    if (-not $Step['Apply']) { $defaults.Otherwise = "Call $($Runbook.Help)." }
    foreach ($name in $defaults.Keys) {
        if (-not $Step.ContainsKey($name)) { $Step[$name] = $defaults[$name] }
    }
    foreach ($name in @($Step.Wanted.Keys)) {
        $wanted = ConvertTo-StepValue -Value $Step.Wanted[$name]
        if ($wanted -isnot [System.Collections.IDictionary]) { $Step.Wanted[$name] = $wanted }
    }
    if ($Step.Repeats -or $Step.WaitSeconds) {
        $Step.Action = Read-RunbookJson -Path (Get-RecordPath -Step $Step -Kind 'Action')
        $Step.Due = Test-Due -Step $Step
        return
    }
    if (-not $Step.Apply) { return }
    $Step.Before = Read-StepRecord -Step $Step -Kind 'Before'
    $Step.After = Read-StepRecord -Step $Step -Kind 'After'
    if ($Step.Before) {
        $Step.Source = $Step.Before.Source
        $Step.Waits = $Step.Replicates -and -not $Step.After -and -not $Runbook.Undoes
    } elseif ($Step.After) {
        Exit-Runbook -Code 2 -Message ("$($Step.Id): the before-record is gone, the after-record " +
            "is not: nobody can say what was there. Call $($Runbook.Help).")
    }
}

function Test-Kept ([hashtable] $Step, [string] $Name) {
    # The operator decided that this value stays as it is; in undo only a whole step can.
    $kept = $Runbook.Given.KeepPresent
    if (-not $Runbook.Undoes) {
        return $Step['Wanted'].Contains($Name) -and $kept -contains "$($Step.Id).$Name"
    }
    $kept -contains $Step.Id -or -not @($Step.Wanted.Keys | Where-Object -FilterScript {
            $kept -notcontains "$($Step.Id).$_" }).Count
}

function Compare-Step ([hashtable] $Step) {
    # Sets Target, what shall hold, and Todo, the names that do not hold yet. Forward these are
    # the wanted values, in undo those from before this change, and kept ones stay as they are.
    $source = $Step.Wanted
    $Step.Target = [ordered] @{}
    $Step.Kept = $false
    if ($Runbook.Undoes -and $Step.Apply -and -not $Step.Repeats) {
        # Without a change of ours, whatever is there stays there.
        $held = -not $Step.Before -or ($Step.After -and $Step.After.Proof -eq 'held')
        $source = $Step.Before
        if ($held) { $source = $Step.Present }
        $Step.Target.Identity = $source.Identity
    }
    $mayKeep = $Runbook.Undoes -or $Step.After
    $Step.Todo = @(foreach ($name in $Step.Wanted.Keys) {
            $Step.Target[$name] = $source[$name]
            $holds = Test-StepValue -Wanted $source[$name] -Present $Step.Present[$name]
            $kept = -not $holds -and $mayKeep -and (Test-Kept -Step $Step -Name $name)
            if ($kept) { $Step.Kept = $true }
            if (-not ($holds -or $kept)) { $name }
        })
}

function Get-Difference ([hashtable] $Step) {
    # Present value and wanted value, a sentence for each that does not hold.
    $Step.Todo | ForEach-Object -Process {
        "$_ is $(Format-StepValue -Value $Step.Present[$_]), wanted is " +
        "$(Format-StepValue -Value $Step.Target[$_])."
    }
}

function Get-ForwardReason ([hashtable] $Step) {
    # This step was done and recorded, and somebody changed its result since.
    foreach ($name in $Step.Todo) {
        $keep = "-KeepPresent '$($Step.Id).$name'"
        if ($Step.After) {
            $left = Format-StepValue -Value $Step.After[$name]
            $now = Format-StepValue -Value $Step.Present[$name]
            "$name was left as $left and is $now now. Ask who changed it; put it back, or keep " +
            "it with $keep -Reason '...'."
        } elseif (Test-Kept -Step $Step -Name $name) {
            "$keep keeps what others changed after this runbook, which has no record of $name. " +
            'Decide before the change, in the inventory.'
        }
    }
}

function Get-StepReason ([hashtable] $Step) {
    # Reads and judges a step; answers with the reasons to refuse, each with the step's id.
    Read-StepState -Step $Step
    $done = $Step.Todo.Count -eq 0 -and -not $Step.Due
    if ($done -or ($Step.Waits -and -not $Runbook.Preview)) { return }
    $reasons = @(
        $before = $Step.Present
        if ($Step.Before) { $before = $Step.Before }
        if ($Step.Repeats) { $before = $null }
        elseif ($Runbook.Undoes) {
            $before = $Step.Target
            Get-UndoReason -Step $Step
        } else {
            Get-ForwardReason -Step $Step
        }
        try {
            if ($Step.Require) { & $Step.Require $before $Step.Present }
        } catch {
            "It cannot be judged: $(Get-FailureText -Failure $_) Repair that, then run this again."
        }
        if ($Step.Risk) { Get-RiskReason -Step $Step -Before $before }
    )
    $reasons | Where-Object -FilterScript { $_ } | ForEach-Object -Process { "$($Step.Id): $_" }
}

# --- 6 Working a step: ask, judge again, record, apply, read until it holds, record --
function Read-Answer ([string] $Question) {
    # A line that the operator types; nothing where nobody can.
    try {
        $Host.UI.Write("${Question}: ")
        return ([string] $Host.UI.ReadLine()).Trim()
    } catch {
        return ''
    }
}

function Confirm-Question ([hashtable] $Step, [string] $Question, [switch] $Hold) {
    # The first answer is No; a prompt that cannot be shown is a No. A hold point or a doubt
    # is answered by -Unattended only together with a reason that the auditor can read.
    $answer = 0
    $by = $Runbook.Operator
    if ($Runbook.Given.Unattended) {
        $by = "-Unattended $($Runbook.Given.Reason)".Trim()
        $answer = [int] (-not $Hold -or [bool] $Runbook.Given.Reason)
    } else {
        try {
            $choices = [System.Management.Automation.Host.ChoiceDescription[]] @('&No', '&Yes')
            $caption = 'Step {0} of {1}' -f $Step.Number, $Runbook.Steps.Count
            $answer = $Host.UI.PromptForChoice($caption, $Question, $choices, 0)
        } catch {
            $by = 'the prompt could not be shown'
        }
    }
    if ($answer -and $Hold -and $Runbook.Witness) {
        $witness = ''
        if (-not $Runbook.Given.Unattended) { $witness = Read-Answer -Question 'Witness (name)' }
        if (-not $witness) { $answer = 0 }
        $by = "$by, witness '$witness'"
    }
    $word = 'No'
    if ($answer) { $word = 'Yes' }
    Write-StepEvent -Step $Step -Status 'answer' -Lines "$Question $word ($by)."
    if ($answer -eq 0) {
        Exit-Runbook -Code 3 -Message ("Step $($Step.Number) was declined. Run this again when " +
            "it may go on; unattended, a hold point needs -Reason '...'.")
    }
    $by
}

function Wait-Step ([hashtable] $Step) {
    # Reads until the target holds or the time is over: replication takes its time. Rounds are
    # counted too, so that a clock that is set back meanwhile does not make it endless. A reading
    # that fails is one more round.
    $limit = (Get-Date).AddSeconds($Step.TimeoutSeconds)
    for ($waited = 0; $true; $waited += 5) {
        $over = $waited -ge $Step.TimeoutSeconds -or (Get-Date) -ge $limit
        try {
            Read-StepState -Step $Step
            if ($Step.Todo.Count -eq 0) { return }
        } catch {
            if ($over -or $Runbook.Preview) { throw }
            $text = "The reading failed, one more round: $(Get-FailureText -Failure $_)"
            Write-StepEvent -Step $Step -Status 'wait' -Lines $text
        }
        if ($over -or $Runbook.Preview) { return }
        if ($waited % 60 -eq 0) {
            $open = @(Get-Difference -Step $Step) -join ' '
            $text = "Waiting until $(Get-LocalText -At $limit) at the latest. $open".Trim()
            Write-StepEvent -Step $Step -Status 'wait' -Lines $text
        }
        Start-Sleep -Seconds 5
    }
}

function Invoke-Apply ([hashtable] $Step, [object] $Before) {
    # A vendor's script is not written for strict mode, and functions in modules see only the
    # global preference: both are relaxed for this call alone. What it prints is evidence.
    $say = {
        $text = ([string] $_).TrimEnd()
        if ($text) { Write-StepEvent -Step $Step -Status 'output' -Lines $text }
    }
    if (-not $Step.Relaxed) {
        & $Step.Apply $Before $Step.Present | ForEach-Object -Process $say
        return
    }
    Set-StrictMode -Off
    $saved = $global:ErrorActionPreference
    $global:ErrorActionPreference = $ErrorActionPreference = 'Continue'
    try {
        & $Step.Apply $Before $Step.Present *>&1 | ForEach-Object -Process $say
    } finally {
        $global:ErrorActionPreference = $saved
    }
}

function Assert-AsShown ([hashtable] $Step) {
    # Time has passed at the prompt: what was shown and answered is what must still be there.
    $shown = ConvertTo-RunbookJson -Value @($Step.Present, $Step.Unproven)
    Assert-NoProblem -Problems @(Get-WindowProblem; Get-StepReason -Step $Step)
    if ($shown -ne (ConvertTo-RunbookJson -Value @($Step.Present, $Step.Unproven))) {
        Write-StepEvent -Step $Step -Status 'differs' -Lines (Get-Difference -Step $Step)
        Exit-Runbook -Code 2 -Message ("Step $($Step.Number) is not as it was shown: somebody " +
            'works here at this moment. Find out who, then run this again.')
    }
}

function Complete-HeldStep ([hashtable] $Step, [System.Collections.IDictionary] $Result) {
    # Nothing to change. Recorded all the same, so that undo knows what this change did not do.
    $Result.outcome = 'already so'
    if ($Runbook.Undoes -and -not ($Step.Before -or $Step.Repeats)) {
        $Result.outcome = 'nothing to undo'
    }
    if ($Step.Kept) { $Result.outcome = 'kept' }
    if (-not ($Runbook.Preview -or $Runbook.Undoes -or $Step.Repeats -or $Step.After)) {
        $proof = 'unproven'
        if (-not $Step.Before) {
            $proof = 'held'
            Save-StepRecord -Step $Step -Kind 'Before' -Proof $proof
        }
        Save-StepRecord -Step $Step -Kind 'After' -Proof $proof
    }
    $more = @{ Lines = "Nothing to do here: $($Result.outcome)."; Data = $Step.Present }
    Write-StepEvent -Step $Step -Status 'done' @more
}

function Invoke-ChangeStep ([hashtable] $Step, [System.Collections.IDictionary] $Result) {
    # The life of a changing step or a repeated action, forward and undo alike.
    $Result.outcome = 'refused'
    if ($Runbook.Preview -and $Step.Later) {
        $Result.outcome = "after $($Step.Follows)"
        $text = "It is judged when $($Step.Follows -join ', ') is done."
        return Write-StepEvent -Step $Step -Status 'whatif' -Lines $text
    }
    $again = -not $Runbook.Preview -and ($Step.Waits -or $Step.Later -or $Runbook.Touched)
    if ($again -and $Step.Waits) {
        # Our own half-done work may still be on its way: never call it conflicting.
        $text = "Begun by an earlier run: waiting up to $($Step.TimeoutSeconds) s for its result."
        Write-StepEvent -Step $Step -Status 'wait' -Lines $text
        Wait-Step -Step $Step
        $Step.Waits = $false
    }
    $Step.Later = $false
    if ($Step.Repeats) { $Step.Due = Test-Due -Step $Step }
    if ($again) { Assert-NoProblem -Problems (Get-StepReason -Step $Step) }
    if ($Step.Todo.Count -eq 0 -and -not $Step.Due) {
        return Complete-HeldStep -Step $Step -Result $Result
    }
    $shown = @(Get-Difference -Step $Step)
    if ($Step.Due) { $shown = @("It is due: it was not done since what it serves.") + $shown }
    if ($Runbook.Preview) {
        $Result.outcome = 'would change'
        return Write-StepEvent -Step $Step -Status 'whatif' -Lines $shown
    }
    $Result.outcome = 'declined'
    Write-StepEvent -Step $Step -Status 'differs' -Lines $shown
    $null = Confirm-Question -Step $Step -Question "$($Step.Title)?"
    if ($Step.Unproven.Count -gt 0) {
        $text = "No record proves that this change made these: $($Step.Unproven -join '; ')."
        $null = Confirm-Question -Step $Step -Question "$text Take them back?" -Hold
    }
    $Result.outcome = 'refused'
    Assert-AsShown -Step $Step
    $Result.outcome = 'failed'
    Invoke-RecordedApply -Step $Step
    $Result.outcome = 'not verified'
    Wait-Step -Step $Step
    if ($Step.Todo.Count -gt 0) {
        Write-StepEvent -Step $Step -Status 'problem' -Lines (Get-Difference -Step $Step)
        Invoke-Diagnosis -Step $Step
        Exit-Runbook -Code 4 -Message ("Step $($Step.Number) was applied, but its values did not " +
            "come within $($Step.TimeoutSeconds) s. $($Step.Otherwise)")
    }
    if ($Step.Repeats) {
        Save-ActionRecord -Step $Step -Ended (Get-UtcText)
    } elseif (-not $Runbook.Undoes) {
        Save-StepRecord -Step $Step -Kind 'After' -Proof 'changed'
    }
    $Result.outcome = 'changed'
    Write-StepEvent -Step $Step -Status 'done' -Lines 'Changed and read back.' -Data $Step.Present
}

function Invoke-RecordedApply ([hashtable] $Step) {
    # The before-values are on disk, and receipts that become untrue are void, before anything
    # changes. From here on nobody says that nothing was changed.
    if ($Step.Repeats) {
        Save-ActionRecord -Step $Step
    } elseif (-not $Step.Before) {
        Save-StepRecord -Step $Step -Kind 'Before' -Proof 'before'
    }
    $before = $Step.Before
    if ($Runbook.Undoes -and -not $Step.Repeats) { $before = $Step.Target }
    Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'
    Clear-Receipt -Ids $Runbook.Id -Outcome 'interrupted'
    $Runbook.Touched += $Step.Number
    $Runbook.Changed = Get-UtcText
    Write-StepEvent -Step $Step -Status 'apply' -Lines $Step.Title -Data $Step.Present
    # What ends the session of the shell must not leave commands behind that only seem to work.
    if ($Step.EndsShell -and $Runbook['Discard']) { $null = & $Runbook.Discard }
    Invoke-Apply -Step $Step -Before $before
}


# --- 7 Hold points, waits, and checks. Silence is no success -------------------------
function Test-UnderWay {
    # Whether this runbook has changed or will change something since its last completed receipt.
    $pending = @($Runbook.Steps | Where-Object -FilterScript { Test-Pending -Step $_ })
    $Runbook.Dirty -or $Runbook.Touched -or $pending.Count -gt 0
}

function Invoke-AskStep ([hashtable] $Step, [System.Collections.IDictionary] $Result) {
    # A hold point without a cmdlet. An answer counts until the runbook is completed.
    $Result.outcome = 'not needed'
    if (-not ($Step.Always -or (Test-UnderWay))) { return }
    $text = "$($Step.Ask) (To answer: $($Step.Who))"
    if ($Runbook.Preview) {
        $Result.outcome = 'would ask'
        return Write-StepEvent -Step $Step -Status 'whatif' -Lines $text
    }
    $path = Join-Path -Path $Runbook.Folder -ChildPath "$($Runbook.Id).answers.json"
    $answers = [ordered] @{}
    $known = Read-RunbookJson -Path $path
    if ($known) {
        foreach ($one in $known.PSObject.Properties) { $answers[$one.Name] = $one.Value }
    }
    $Result.outcome = 'answered'
    if ($answers.Contains($Step.Id)) {
        $words = "Answered with Yes before: $($answers[$Step.Id])."
        return Write-StepEvent -Step $Step -Status 'answer' -Lines $words
    }
    $Result.outcome = 'declined'
    $by = Confirm-Question -Step $Step -Question $text -Hold
    $answers[$Step.Id] = "$by at $(Get-UtcText)"
    Write-RunbookFile -Path $path -Value $answers
    $Result.outcome = 'answered'
}

function Invoke-WaitStep ([hashtable] $Step, [System.Collections.IDictionary] $Result) {
    # A fixed time by this host's own clock, from when this runbook first came to it. A wait that
    # was interrupted goes on; what was slept is counted too, for a clock that is set back.
    $Result.outcome = 'already so'
    $Step.Due = Test-Due -Step $Step
    if (-not $Step.Due) { return }
    $begun = (Get-Date).ToUniversalTime()
    $goes = (Test-Begun -Step $Step) -and -not $Step.Action.ended
    if ($goes) { $begun = ([datetime] $Step.Action.begun).ToUniversalTime() }
    $until = $begun.AddSeconds($Step.WaitSeconds)
    $text = "Waiting until $(Get-LocalText -At $until)."
    if ($Runbook.Preview) {
        $Result.outcome = 'would wait'
        return Write-StepEvent -Step $Step -Status 'whatif' -Lines $text
    }
    if (-not $goes) { Save-ActionRecord -Step $Step }
    for ($slept = 0; $slept -lt $Step.WaitSeconds; $slept += 5) {
        if ((Get-Date).ToUniversalTime() -ge $until) { break }
        if ($slept % 60 -eq 0) { Write-StepEvent -Step $Step -Status 'wait' -Lines $text }
        Start-Sleep -Seconds 5
    }
    Save-ActionRecord -Step $Step -Ended (Get-UtcText)
    $Result.outcome = 'waited'
}

function Get-CheckAnswer ([scriptblock] $Check) {
    # What an action saw, and its problems; one that threw is a problem too.
    $found = @{ Saw = $null; Problems = @(); Threw = $false }
    try {
        $answer = @(& $Check)
        if ($answer.Count -ne 1 -or $answer[0] -isnot [hashtable] -or -not $answer[0].Saw) {
            throw 'it did not say what it saw.'
        }
        $found.Saw = $answer[0].Saw
        $found.Problems = @($answer[0].Problems | Where-Object -FilterScript { $_ })
    } catch {
        $found.Threw = $true
        $found.Problems = @("It could not be checked: $(Get-FailureText -Failure $_)")
    }
    $found
}

function Invoke-CheckStep ([hashtable] $Step, [System.Collections.IDictionary] $Result) {
    # Values read until they hold, or an action. No check hides another.
    $check = $Step['Check']
    if ($Step.Read) {
        $check = {
            Wait-Step -Step $Step
            $problems = @(Get-Difference -Step $Step | ForEach-Object -Process {
                    "$_ $($Step.Otherwise)" })
            @{ Saw = $Step.Present; Problems = $problems }
        }
    }
    $found = Get-CheckAnswer -Check $check
    if ($found.Threw) { $found.Problems = @("$($found.Problems) $($Step.Otherwise)") }
    $Step.Present = $found.Saw
    if ($Runbook.Preview -and $found.Problems -and $Step.TimeoutSeconds) {
        $Result.outcome = 'would wait'
        $text = "It would be waited for, up to $($Step.TimeoutSeconds) s: $($found.Problems)"
        return Write-StepEvent -Step $Step -Status 'whatif' -Lines $text
    }
    Write-StepEvent -Step $Step -Status 'problem' -Lines $found.Problems
    $Result.outcome = 'passed'
    if ($found.Problems.Count -gt 0) {
        $Result.outcome = 'not passed'
        Invoke-Diagnosis -Step $Step
    }
    $more = @{ Status = 'done'; Lines = "The check has $($Result.outcome)."; Data = $found.Saw }
    Write-StepEvent -Step $Step @more
}

function Invoke-Diagnosis ([hashtable] $Step) {
    # The author's list of causes, in order, up to the first that fails: the one to mend.
    $unknown = 0
    foreach ($cause in $Step.Diagnosis) {
        $found = Get-CheckAnswer -Check $cause.Check
        $fails = $found.Problems.Count -gt 0 -and -not $found.Threw
        $words = "$($cause.Id): $($cause.Text): in order."
        if ($found.Problems) { $words = "$($cause.Id): $($found.Problems -join ' ')" }
        if ($fails) { $words = "First of the list that fails: $words" }
        Write-StepEvent -Step $Step -Status 'diagnosis' -Lines $words -Data $found.Saw
        if ($fails) { return }
        $unknown += [int] $found.Threw
    }
    if ($Step.Diagnosis) {
        $words = "None of the list fails, $unknown could not be checked. Call $($Runbook.Help)."
        Write-StepEvent -Step $Step -Status 'diagnosis' -Lines $words
    }
}

# --- 8 The run -----------------------------------------------------------------------
function Invoke-Survey {
    # Every changing step is read and judged; all refusals together, nothing changed yet. A step
    # that follows one of this runbook which is still to be done is judged when its turn comes.
    $reasons = @()
    $orphans = @()
    $Runbook.Past[$Runbook.Id] = @{ End = $null; State = @{} }
    foreach ($step in $Runbook.Steps | Where-Object -FilterScript { $_.Apply -and -not $_.Past }) {
        $open = @($Runbook.Steps | Where-Object -FilterScript {
                $step.Follows -contains $_.Id -and (Test-Pending -Step $_) })
        if ($open.Count -gt 0) {
            $step.Later = $true
            continue
        }
        $Runbook.At = $step
        try {
            $reasons += @(Get-StepReason -Step $step)
            if ($Runbook.Undoes -and -not ($step.Before -or $step.Repeats)) {
                $orphans += @(Get-OrphanReason -Step $step)
            }
            $Runbook.Past[$Runbook.Id].State[$step.Id] = $step.Present
        } catch {
            if (-not $Runbook.Preview) { throw }
            $reasons += "$($step.Id): it could not be read: $(Get-FailureText -Failure $_)"
        }
    }
    $Runbook.At = $null
    Assert-NoProblem -Problems $reasons
    Assert-NoProblem -Problems $orphans -Status 'problem' -Code 4
}

function Initialize-Plan {
    # Every step with what earlier runs recorded. Once an action was begun that ends the session of
    # the shell, what stands before it is done, and the shell may not answer until it has ended.
    $Runbook.Steps | ForEach-Object -Process { Initialize-Step -Step $_ }
    $ends = @($Runbook.Steps | Where-Object -FilterScript {
            $_.EndsShell -and $Runbook.Serves -and (Test-Begun -Step $_) })
    if ($ends.Count -eq 0) { return }
    foreach ($step in $Runbook.Steps) {
        $step.Past = $step.Number -lt $ends[-1].Number -and -not ($step.Ask -or $step.Later)
        if ($step.Past) { $step.Due = $false }
    }
    $Runbook.Shell = { }
    $Runbook.Probe = { }
    $Runbook.Commands = @()
}

function Save-Configuration {
    # The present configuration, as the vendor exports it, before the first change of a run.
    $work = @($Runbook.Steps | Where-Object -FilterScript { Test-Pending -Step $_ })
    if (-not $Runbook['Save'] -or $Runbook.Preview -or $work.Count -eq 0) { return }
    $name = "$($Runbook.Id).saved-$((Get-UtcText) -replace '[:.]', '')"
    $path = Join-Path -Path $Runbook.Folder -ChildPath $name
    $null = & $Runbook.Save $path
    Write-RunbookEvent -Status 'saved' -Message "$path.*"
}

function Invoke-RunbookStep {
    # The steps in order; the first refusal ends a change, but no check hides another.
    foreach ($step in $Runbook.Steps) {
        $Runbook.At = $step
        $result = [ordered] @{
            step = $step.Number; id = $step.Id; title = $step.Title; outcome = 'failed'
            state = $null
        }
        $Runbook.Results += , $result
        $check = -not ($step.Apply -or $step.Ask -or $step.WaitSeconds)
        if (-not $check -and -not $Runbook.Preview) { Assert-ChecksPassed }
        Write-StepEvent -Step $step -Status 'start' -Lines $step.Title
        if ($step.Past) {
            $result.outcome = 'done before'
        } elseif ($step.Ask) {
            Invoke-AskStep -Step $step -Result $result
        } elseif ($step.WaitSeconds) {
            Invoke-WaitStep -Step $step -Result $result
        } elseif ($check) {
            Invoke-CheckStep -Step $step -Result $result
        } elseif ($step.Present -or $step.Later) {
            Invoke-ChangeStep -Step $step -Result $result
        } else {
            $result.outcome = 'not read'
        }
        $Runbook.Past[$Runbook.Id].State[$step.Id] = $step.Present
    }
    $Runbook.At = $null
    Assert-ChecksPassed
    if ($Runbook.Undoes -and -not $Runbook.Preview) {
        Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'
        Clear-UndoneRecord
    }
}

function Assert-ChecksPassed {
    # Checks that did not pass end the run, before the next change or at its end.
    $failed = @($Runbook.Results | Where-Object -FilterScript { $_.outcome -eq 'not passed' })
    if ($failed.Count -eq 0) { return }
    Exit-Runbook -Code 4 -Message ("$($failed.Count) of $($Runbook.Steps.Count) steps did not " +
        'pass. Do what the lines above say, then run this again.')
}

function Write-RunbookFailure ([System.Management.Automation.ErrorRecord] $Failure) {
    # What the operator needs to go on: step, command and cause. The place in the script is for the
    # evidence only.
    $cause = $Failure.Exception.GetBaseException()
    $text = Get-FailureText -Failure $Failure
    if ($cause.Data.Contains('RunbookExitCode')) {
        $Runbook.Code = $cause.Data['RunbookExitCode']
        $text = $cause.Message
    } elseif ($Runbook.At) {
        $text = "Step $($Runbook.At.Number), $($Runbook.At.Id): $text $($Runbook.At.Otherwise)"
    }
    $last = @{ Message = $text; Data = $Failure.ScriptStackTrace }
    $last.Status = $Runbook.Ends[$Runbook.Code].Status
    try { Write-RunbookEvent @last } catch { $Runbook.Code = 1 }
}

function Get-LastWord {
    # What was changed, in the words of the steps, and the next action, by exit code.
    $words = @(foreach ($number in $Runbook.Touched) {
            $result = $Runbook.Results[$number - 1]
            if ($result.outcome -eq 'changed') { "Changed: $($result.title)." }
            else { "Begun, not finished: $($result.title)." }
        })
    if (-not $words) { $words = @('Nothing was changed.') }
    if ($Runbook.Preview) { $words += 'A preview writes its evidence, and nothing else.' }
    $words -join ' '
    $next = $Runbook.Ends[$Runbook.Code].Next
    if ($Runbook.Code -gt 0) { $next += ", then run this file again. Help: $($Runbook.Help)." }
    if ($Runbook.Preview -and $Runbook.Code -eq 0) { $next = 'run this file without -WhatIf.' }
    "Next: $next"
}

function Complete-Runbook {
    # Receipt and last words. Exit code 2 promises that nothing was changed.
    if ($Runbook.Code -eq 2 -and $Runbook.Touched) { $Runbook.Code = 1 }
    $outcome = $Runbook.Ends[$Runbook.Code].Outcome
    $kinds = @($Runbook.Results | ForEach-Object -Process { $_.outcome })
    # Hold points, waits and checks between the changes of an undo do not make it one that did work.
    $undone = @($Runbook.Results | Where-Object -FilterScript {
            $step = $Runbook.Steps[$_.step - 1]
            $step.Apply -and -not $step.Repeats } | ForEach-Object -Process { $_.outcome })
    $none = $undone.Count -gt 0 -and -not ($Runbook.Touched -or $undone -ne 'nothing to undo')
    if ($Runbook.Code -eq 0 -and $Runbook.Undoes -and $none) {
        $outcome = 'nothing to undo'
    }
    $news = $Runbook.Code -eq 0 -or $Runbook.Touched -or $kinds -contains 'not passed'
    if ($news -and -not $Runbook.Preview) {
        Write-RunbookReceipt -Outcome $outcome
        if ($Runbook.Code -eq 0) {
            # Answers counted for this one change; the next one asks again.
            $answers = Join-Path -Path $Runbook.Folder -ChildPath "$($Runbook.Id).answers.json"
            [System.IO.File]::Delete($answers)
        }
    }
    foreach ($result in $Runbook.Results) {
        Write-Host -Object ('Step {0}  {1,-15} {2}' -f $result.step, $result.outcome, $result.title)
    }
    if ($Runbook.Preview) {
        $outcome = "preview, $($Runbook.Closed) reason(s) to refuse"
        if ($Runbook.Code -eq 0 -and $Runbook.Closed -gt 0) { $Runbook.Code = 2 }
    }
    $changed, $next = Get-LastWord
    $text = "Result: $outcome, exit code $($Runbook.Code). $changed"
    Write-RunbookEvent -Status 'end' -Message $text
    Write-Host -Object "Evidence: $($Runbook.EvidencePath)"
    Write-Host -Object $next
    $Runbook.Ended = $true
}

$facts = @{
    Preview = [bool] $WhatIfPreference
    Given = [ordered] @{
        Unattended = [bool] $Unattended; OutsideWindow = [bool] $OutsideWindow
        ReceiptPath = $ReceiptPath; Reason = $Reason
        # Under -File a list arrives as one text.
        SkipReceipt = @($SkipReceipt -split '[, ]+' | Where-Object -FilterScript { $_ })
        AcceptRisk = @($AcceptRisk -split '[, ]+' | Where-Object -FilterScript { $_ })
        KeepPresent = @($KeepPresent -split '[, ]+' | Where-Object -FilterScript { $_ })
    }
    Good = 'completed', 'nothing to undo'
    # What each exit code means: the outcome in the receipt, the status of the last line, and what
    # the operator does next.
    Ends = @{
        0 = @{ Outcome = 'completed'; Status = 'done'; Next = $Runbook.Next }
        1 = @{ Outcome = 'failed'; Status = 'failed'; Next = "read the line 'failed' above" }
        2 = @{ Outcome = 'refused'; Status = 'refused'
            Next = "do what the lines 'refused' and 'closed' above say"
        }
        3 = @{ Outcome = 'declined'; Status = 'declined'; Next = 'wait until it may go on' }
        4 = @{ Outcome = 'not verified'; Status = 'unproven'
            Next = "do what the lines 'problem' and 'unproven' above say"
        }
    }
    Culture = [System.Globalization.CultureInfo]::InvariantCulture
    Latin = [System.Text.Encoding]::GetEncoding(28591)
    Utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    Run = [System.Guid]::NewGuid().ToString(); Code = 1; Start = ''; Changed = ''; Ended = $false
    Folder = ''; Lock = $null; Evidence = $null; EvidencePath = 'none'; EvidenceLength = 0
    Previous = ''; Closed = 0; Groups = @(); Operator = ''; PowerShell = ''; Past = @{}
    Touched = @(); Relied = @(); Overrides = @(); Results = @(); Faults = @(); Table = @{}
    TakenAway = @(); Dirty = $false; At = $null
    # What the window of the operator had before, to be put back.
    Kept = @{
        WhatIf = $WhatIfPreference; Confirm = $ConfirmPreference; Error = $ErrorActionPreference
    }
}
foreach ($name in $facts.Keys) { $Runbook[$name] = $facts[$name] }
# Under -File this script is the global scope: left on, the preview and the confirmation
# preference would reach every module and would stop the Exchange shell from loading.
$WhatIfPreference = $false
$ConfirmPreference = 'High'
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Variable -Name 'Runbook' -Value $Runbook -Option ReadOnly
try {
    try {
        $Runbook.Start = Get-UtcText
        Assert-NoProblem -Problems @(Get-PlaceProblem; Get-ParameterProblem)
        Open-RunbookFolder
        Assert-NoProblem -Problems @(& $Runbook.Product)
        Assert-NoProblem -Problems @(Get-GateProblem) -Status 'closed'
        Initialize-Plan
        # The vendor's shell is not written for strict mode, and its commands live only in the
        # scope that loads it: therefore the dot. It must answer before its rights are judged.
        $Error.Clear()
        try {
            Set-StrictMode -Off
            $global:ErrorActionPreference = $ErrorActionPreference = 'Continue'
            $null = . $Runbook.Shell
            $null = & $Runbook.Probe
        } catch {
            $words = @($Error | Select-Object -First 3) -join ' / '
            Exit-Runbook -Code 2 -Message ("The product's shell does not answer: $words " +
                "Call $($Runbook.Help).")
        } finally {
            Set-StrictMode -Version Latest
            $global:ErrorActionPreference = $ErrorActionPreference = 'Stop'
            $WhatIfPreference = $false
            $ConfirmPreference = 'High'
        }
        Assert-NoProblem -Problems @(Get-RightsProblem)
        Invoke-Survey
        Save-Configuration
        Invoke-RunbookStep
        $Runbook.Code = 0
    } catch {
        Write-RunbookFailure -Failure $_
    }
    try {
        Complete-Runbook
    } catch {
        $Runbook.Code = 1
        $Runbook.Ended = $true
        $words = "Receipt or evidence could not be written: $($_.Exception.Message)"
        Write-Host -Object "$words Do not go on. Call $($Runbook.Help)."
    }
} finally {
    $open = @($Runbook.Lock; $Runbook.Evidence) | Where-Object -FilterScript { $_ }
    $open | ForEach-Object -Process { $_.Dispose() }
    $WhatIfPreference = $Runbook.Kept.WhatIf
    $ConfirmPreference = $Runbook.Kept.Confirm
    $global:ErrorActionPreference = $ErrorActionPreference = $Runbook.Kept.Error
    if (-not $Runbook.Ended) {
        Write-Host -Object ('Interrupted: what was begun may have changed something. Run this ' +
            'file again: it goes on where this run was cut off.')
        exit 1
    }
}
exit $Runbook.Code
