# =====================================================================================
# Engine - from here to the end of the file every runbook has the same text
#
#   1 Tools      2 Evidence      3 Guards      4 Receipts      5 Judging a step
#   6 Working a step             7 Checks      8 The run
#
# All state stands in the table $Runbook, which is read-only while the vendor's shell loads.
# Whatever can refuse answers with sentences; they are collected and shown together.
# =====================================================================================

# --- 1 Tools -------------------------------------------------------------------------

function Exit-Runbook {
    # Ends the run with one sentence and one exit code.
    param ([int] $Code, [string] $Message)
    $problem = New-Object -TypeName System.InvalidOperationException -ArgumentList $Message
    $problem.Data['RunbookExitCode'] = $Code
    throw $problem
}

function Get-UtcText {
    # Through Get-Date, never [DateTime]::UtcNow: a rehearsal can then set the clock.
    param ([datetime] $At = (Get-Date))
    $At.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ss.fffZ', $Runbook.Culture)
}

function Get-LocalText {
    # What the operator's watch shows, with its offset.
    param ([datetime] $At = (Get-Date))
    $At.ToLocalTime().ToString('yyyy-MM-dd HH:mm:ss zzz', $Runbook.Culture)
}

function Get-BytesHash {
    # The only SHA-256 that .NET Framework allows in FIPS mode on every version.
    param ([byte[]] $Bytes)
    $sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
    try {
        $hex = [System.BitConverter]::ToString($sha.ComputeHash($Bytes))
        $hex.Replace('-', '').ToLowerInvariant()
    } finally {
        $sha.Dispose()
    }
}

function Get-ContentHash {
    # SHA-256 of the text without signature block and with its own hash set to zeros. A block
    # that is not the very end of the file is no signature.
    param ([string] $Path, [string] $OwnHash)
    $latin = [System.Text.Encoding]::GetEncoding(28591)
    $text = $latin.GetString([System.IO.File]::ReadAllBytes($Path))
    $ordinal = [System.StringComparison]::Ordinal
    $end = $text.LastIndexOf("`r`n# SIG # Begin signature block`r`n", $ordinal)
    if ($end -ge 0 -and $text.EndsWith("`r`n# SIG # End signature block`r`n", $ordinal)) {
        $text = $text.Substring(0, $end)
    }
    Get-BytesHash -Bytes $latin.GetBytes($text.Replace($OwnHash, '0' * 64))
}

function ConvertTo-RunbookJson {
    # Deep enough for every record; the default depth of two would cut them.
    param ([object] $Value)
    ConvertTo-Json -InputObject $Value -Depth 8 -Compress
}

function Read-RunbookJson {
    # What the file says, or nothing when it is not there; an empty or cut one is an error.
    param ([string] $Path)
    if (-not [System.IO.File]::Exists($Path)) {
        return
    }
    $value = $null
    try {
        $value = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Path))
    } catch {
        $value = 'no record'
    }
    if ($value -isnot [System.Management.Automation.PSCustomObject]) {
        Exit-Runbook -Code 2 -Message ("$Path cannot be read: it is empty, cut or was written by " +
            "hand. Call $($Runbook.Help), and leave it there.")
    }
    $value
}

function Get-Field {
    # A field that may be missing, without strict mode ending the run.
    param ([object] $Object, [string] $Name)
    $property = $Object.PSObject.Properties[$Name]
    if ($property) {
        $property.Value
    }
}

function Write-RunbookFile {
    # Whole file or none, on the disk when this returns.
    param ([string] $Path, [object] $Value)
    $utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    $bytes = $utf8.GetBytes((ConvertTo-RunbookJson -Value $Value))
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

function Get-WebAnswer {
    # The only web access. It never throws: Status is 0 when nobody answered, and Problem says
    # why. Certificates are checked as Windows checks them. Join the texts of a header before
    # you search it: .NET Framework divides some headers at their commas.
    param ([string] $Url)
    $found = @{
        Url = $Url; Status = 0; Problem = ''; Headers = @{}; Body = ''; Date = $null; Proxy = ''
    }
    $ProgressPreference = 'SilentlyContinue'
    $response = $null
    try {
        # Zero is the choice of Windows itself: adding to it would take the others away.
        $allowed = [System.Net.ServicePointManager]::SecurityProtocol
        if ([int] $allowed -ne 0) {
            [System.Net.ServicePointManager]::SecurityProtocol =
            $allowed -bor [System.Net.SecurityProtocolType]::Tls12
        }
        $proxy = [System.Net.WebRequest]::DefaultWebProxy
        if ($proxy -and -not $proxy.IsBypassed([uri] $Url)) {
            $found.Proxy = [string] $proxy.GetProxy([uri] $Url)
        }
        $answer = Invoke-WebRequest -Uri $Url -UseBasicParsing -TimeoutSec 30 -ErrorAction Stop
        $response = $answer.BaseResponse
        $found.Body = $answer.Content
        if ($found.Body -is [byte[]]) {
            $found.Body = [System.Text.Encoding]::UTF8.GetString($found.Body)
        }
    } catch {
        # A refusal such as 401 is an answer as well; its body stands in the details.
        $found.Body = [string] $_.ErrorDetails
        $found.Problem = Get-WebProblem -Failure $_.Exception
        $response = Get-Field -Object $_.Exception -Name 'Response'
    }
    if ($response) {
        $found.Problem = ''
        $found.Status = [int] $response.StatusCode
        foreach ($name in $response.Headers.AllKeys) {
            $values = [string[]] $response.Headers.GetValues($name)
            $found.Headers[$name.ToLowerInvariant()] = $values
        }
        $at = [System.DateTimeOffset]::MinValue
        $date = [string] $response.Headers['Date']
        if ([System.DateTimeOffset]::TryParse($date, $Runbook.Culture, 'None', [ref] $at)) {
            $found.Date = $at.UtcDateTime
        }
    }
    $found
}

function Get-WebProblem {
    # The kind of failure in a word that is the same in any language, then the innermost words.
    param ([System.Exception] $Failure)
    $inner = $Failure
    while ($inner.InnerException) {
        $inner = $inner.InnerException
    }
    $kind = [string] (Get-Field -Object $Failure -Name 'Status')
    if (-not $kind) {
        $kind = $Failure.GetType().Name
    }
    "${kind}: $($inner.Message)"
}

# --- 2 Evidence: what the operator sees is what is recorded --------------------------

function Write-RunbookEvent {
    # One line on the screen in local time, one record in the evidence in UTC, chained.
    param ([string] $Status, [string] $Message, [int] $Number = 0, [object] $Data = $null)
    $clock = (Get-Date).ToString('HH:mm:ss zzz', $Runbook.Culture)
    $step = @('', $Number)[[int] ($Number -gt 0)]
    Write-Host -Object ('{0} {1,2}  {2,-9} {3}' -f $clock, $step, $Status, $Message)
    if (-not $Runbook.Evidence) {
        return
    }
    $record = [ordered] @{
        at = Get-UtcText
        run = $Runbook.Run
        preview = $Runbook.Preview
        step = $Number
        status = $Status
        message = $Message
        data = $Data
        prev = $Runbook.Previous
    }
    $utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    $line = ConvertTo-RunbookJson -Value $record
    Add-EvidenceLine -Bytes $utf8.GetBytes($line + "`n")
    $Runbook.Previous = Get-BytesHash -Bytes $utf8.GetBytes($line)
}

function Add-EvidenceLine {
    # One retry, from where the line began: a scanner may be in the way for a moment.
    param ([byte[]] $Bytes)
    $stream = $Runbook.Evidence
    $at = $Runbook.EvidenceLength
    foreach ($try in 1, 2) {
        try {
            $stream.SetLength($at)
            $stream.Position = $at
            $stream.Write($Bytes, 0, $Bytes.Length)
            $stream.Flush($true)
            $Runbook.EvidenceLength = $at + $Bytes.Length
            return
        } catch {
            if ($try -eq 2) {
                # The run ends here; its last words still reach the screen, its receipt the disk.
                $Runbook.Evidence = $null
                throw
            }
            Start-Sleep -Seconds 1
        }
    }
}

function Open-RunbookEvidence {
    # Continues the chain of earlier runs. A line cut short by a crash stays, and is chained.
    param ([string] $Path)
    $Runbook.EvidencePath = $Path
    $Runbook.Previous = '0' * 64
    if ([System.IO.File]::Exists($Path)) {
        $latin = [System.Text.Encoding]::GetEncoding(28591)
        $text = $latin.GetString([System.IO.File]::ReadAllBytes($Path))
        if ($text -and -not $text.EndsWith("`n", [System.StringComparison]::Ordinal)) {
            [System.IO.File]::AppendAllText($Path, "`n")
        }
        $lines = @($text.Split([char[]] @(10), [System.StringSplitOptions]::RemoveEmptyEntries))
        if ($lines.Count -gt 0) {
            $Runbook.Previous = Get-BytesHash -Bytes $latin.GetBytes($lines[$lines.Count - 1])
        }
    }
    $open = $Path, 'OpenOrCreate', 'Write', 'Read'
    $Runbook.Evidence = New-Object -TypeName System.IO.FileStream -ArgumentList $open
    $Runbook.EvidenceLength = $Runbook.Evidence.Length
}

function Add-Override {
    # Who went past a gate, and why, stands in evidence and receipt.
    param ([string] $Message)
    $text = "$Message Overridden: $($Runbook.Given.Reason)"
    if ($Runbook.Overrides -notcontains $text) {
        $Runbook.Overrides += $text
        Write-RunbookEvent -Status 'override' -Message $text
    }
}

# --- 3 Guards: nothing is changed until all of them agree ----------------------------

function Assert-NoProblem {
    # Ends a run that met problems; a preview reports them and goes on.
    param ([object[]] $Problems, [string] $Status = 'refused', [int] $Code = 2)
    $problems = @($Problems | Where-Object -FilterScript { $_ })
    foreach ($problem in $problems) {
        Write-RunbookEvent -Status $Status -Message $problem
    }
    $Runbook.Closed += $problems.Count
    $goesOn = $Runbook.Preview -and $Runbook.Folder
    if ($problems.Count -gt 0 -and -not $goesOn) {
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
    $here = '{0}.{1}' -f $env:COMPUTERNAME, $system.Domain
    $wanted = '{0}.{1}' -f $Runbook.Host, $Runbook.Domain
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
        if ($line -cmatch '"S-1-16-([0-9]+)"') {
            $level = [int] $Matches[1]
        }
    }
    if ($level -lt 12288) {
        'This window is not elevated. Start Windows PowerShell with Run as administrator.'
    }
    $hash = Get-ContentHash -Path $PSCommandPath -OwnHash $Runbook.ContentHash
    if ($hash -ne $Runbook.ContentHash) {
        "The text of this file was changed (now $hash). Fetch the approved file again."
    }
    if ($Runbook.Signer) {
        Get-SignerProblem -Path $PSCommandPath -Signer $Runbook.Signer
    }
}

function Get-ParameterProblem {
    # An override without a reason, or one that names nothing, would pass in silence.
    $given = $Runbook.Given
    if (-not $given.Reason -and
        ($given.OutsideWindow -or $given.SkipReceipt -or $given.KeepPresent)) {
        "An override needs -Reason '...'. Give the reason that the auditor shall read."
    }
    $needed = @($Runbook.Needs | ForEach-Object -Process { $_.Id })
    foreach ($id in $given.SkipReceipt) {
        if ($needed -notcontains $id) {
            "-SkipReceipt $id is no receipt that this runbook asks for. Name one of: $needed."
        }
    }
    foreach ($name in $given.KeepPresent) {
        $fits = @($Runbook.Steps | Where-Object -FilterScript {
                $_.ContainsKey('Apply') -and (Test-Kept -Step $_ -Name ($name -split '\.')[1]) })
        if ($fits.Count -eq 0) {
            "-KeepPresent $name names nothing here. Write 'step.name' as a line above shows it; " +
            "in undo a step stays whole: 'step'."
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

function Get-SignerProblem {
    # One sentence when a file is not as its signer left it; the signer is part of a subject.
    param ([string] $Path, [string] $Signer)
    $again = 'Restore it from the installation media of this build.'
    if ($Path -eq $PSCommandPath) {
        $again = 'Fetch the approved file again.'
    }
    if (-not [System.IO.File]::Exists($Path)) {
        return "$Path is missing. $again"
    }
    $signature = Get-AuthenticodeSignature -LiteralPath $Path -ErrorAction Stop
    $subject = ''
    if ($signature.SignerCertificate) {
        $subject = [string] $signature.SignerCertificate.Subject
    }
    $status = [string] $signature.Status
    $root = "this server does not trust the root of the chain of '$subject'. Import that root " +
    'certificate by hand, as there is no Internet here, then run this again.'
    $words = @{
        NotSigned = "it has no signature. $again"
        HashMismatch = "it was changed after '$subject' signed it. $again"
        NotTrusted = "'$subject' is distrusted on this server. Ask who manages its certificates."
        UnknownError = $root
        NotSupportedFileFormat = "Windows finds no place for a signature in it. $again"
        Incompatible = 'its signature uses an algorithm that this server does not know. Update ' +
        'Windows, or have the file signed with SHA-256.'
    }
    if ($words.ContainsKey($status)) {
        "${Path}: $($words[$status])"
    } elseif ($status -ne 'Valid') {
        "${Path}: the signature status is $status. $again"
    } elseif ($subject -cnotmatch ('(^|, )' + [regex]::Escape($Signer) + '(,|$)')) {
        "$Path is signed by '$subject', expected is '$Signer'. $again"
    }
}

function Get-OwnerProblem {
    # A file or folder that others own could steer this run. SDDL reads alike in any language.
    param ([string] $Path)
    $attributes = [System.IO.File]::GetAttributes($Path)
    if ($attributes -band [System.IO.FileAttributes]::ReparsePoint) {
        "$Path is a link. Ask who made it, and remove it."
    } elseif ((Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl -cnotmatch '^O:(BA|SY)G:') {
        "$Path belongs to neither Administrators nor SYSTEM. Ask who made it, and remove it."
    }
}

function Test-OnlyOurs {
    # Administrators and SYSTEM have full rights on the folder, nothing inherited, nobody else.
    param ([string] $Path)
    $only = 'D:P[A-Z]*\(A;OICI;FA;;;(BA\)\(A;OICI;FA;;;SY|SY\)\(A;OICI;FA;;;BA)\)$'
    (Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl -cmatch $only
}

function Initialize-Folder {
    # Rights are given by SID: any language of Windows. What lies in the folder is judged by
    # owner only while the folder was not ours yet: afterwards nobody else could put it there.
    param ([string] $Path)
    $icacls = "$env:SystemRoot\System32\icacls.exe"
    if (-not [System.IO.Directory]::Exists($Path)) {
        $null = [System.IO.Directory]::CreateDirectory($Path)
        $null = & $icacls $Path '/setowner' '*S-1-5-32-544'
    }
    Assert-NoProblem -Problems (Get-OwnerProblem -Path $Path)
    if (Test-OnlyOurs -Path $Path) {
        return
    }
    $rights = '*S-1-5-32-544:(OI)(CI)F', '*S-1-5-18:(OI)(CI)F'
    $null = & $icacls $Path '/inheritance:r' '/grant:r' $rights[0] $rights[1]
    if (-not (Test-OnlyOurs -Path $Path)) {
        Exit-Runbook -Code 2 -Message ("The rights of $Path could not be closed to others. " +
            'Take the other entries away by hand, then run this again.')
    }
    Assert-NoProblem -Problems @(foreach ($entry in
            [System.IO.Directory]::GetFileSystemEntries($Path)) {
            Get-OwnerProblem -Path $entry
        })
}

function Open-RunbookFolder {
    # The fixed folder of this change; one run at a time in it.
    $parent = Join-Path -Path $env:ProgramData -ChildPath 'Runbook'
    $folder = Join-Path -Path $parent -ChildPath $Runbook.Change
    Initialize-Folder -Path $parent
    Initialize-Folder -Path $folder
    $open = (Join-Path -Path $folder -ChildPath 'lock'), 'OpenOrCreate', 'Write', 'None'
    try {
        $Runbook.Lock = New-Object -TypeName System.IO.FileStream -ArgumentList $open
    } catch {
        $text = "Another runbook of $($Runbook.Change) is running on this server. Wait for its end."
        Exit-Runbook -Code 2 -Message $text
    }
    Open-RunbookEvidence -Path (Join-Path -Path $folder -ChildPath "$($Runbook.Id).jsonl")
    $Runbook.Folder = $folder
    $data = [ordered] @{
        host = $env:COMPUTERNAME
        operator = $Runbook.Operator
        powershell = $Runbook.PowerShell
        file = $PSCommandPath
        parameters = $Runbook.Given
    }
    $text = "$($Runbook.Id) $($Runbook.ContentHash)"
    Write-RunbookEvent -Status 'open' -Message $text -Data $data
    foreach ($name in $Runbook.Given.KeepPresent) {
        Add-Override -Message "$name stays as it is."
    }
}

function Get-WindowProblem {
    # Only a changing runbook has a window; its times carry their offset from UTC.
    if (-not $Runbook.Window) {
        return
    }
    $from = [System.DateTimeOffset]::Parse($Runbook.Window[0], $Runbook.Culture).UtcDateTime
    $until = [System.DateTimeOffset]::Parse($Runbook.Window[1], $Runbook.Culture).UtcDateTime
    $now = (Get-Date).ToUniversalTime()
    if ($now -ge $from -and $now -lt $until) {
        return
    }
    $text = "It is $(Get-LocalText), outside the change window $($Runbook.Window -join ' to ')."
    if ($Runbook.Given.OutsideWindow) {
        Add-Override -Message $text
    } else {
        "$text Come back in time, or use -OutsideWindow -Reason '...'."
    }
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
        if ($is.Count -eq 0) {
            "You are not in the group $group. $($Runbook.Rights)"
        }
    }
}

# --- 4 Receipts: what ran before this, in which order, on which host -----------------

function Find-Receipt {
    # Of two copies the later one decides: both were written by one host, with one clock.
    # An empty, cut or foreign file is a missing receipt, and is named.
    param ([string] $Id)
    $best = $null
    foreach ($folder in @($Runbook.Folder; $Runbook.Given.ReceiptPath)) {
        if (-not $folder) {
            continue
        }
        $path = Join-Path -Path $folder -ChildPath "$Id.receipt.json"
        $fault = ''
        try {
            $receipt = Read-RunbookJson -Path $path
            if ($receipt) {
                $end = ([datetime] $receipt.end).ToUniversalTime()
                if ($receipt.runbook -ne $Id -or $receipt.change -ne $Runbook.Change) {
                    $fault = 'it belongs to another runbook or change'
                } elseif (-not $best -or $end -gt $best.End) {
                    $hash = Get-BytesHash -Bytes ([System.IO.File]::ReadAllBytes($path))
                    $best = @{ Path = $path; Hash = $hash; End = $end; Receipt = $receipt }
                }
            }
        } catch {
            $fault = 'it is empty, cut or was written by hand'
        }
        if ($fault -and $Runbook.Faults -notcontains $path) {
            $Runbook.Faults += $path
            Write-RunbookEvent -Status 'receipt' -Message "$path counts as missing: $fault."
        }
    }
    $best
}

function Get-ClockProblem {
    # A receipt of this host from the future tells nothing about its age. Other hosts have other
    # clocks, which are never compared; that of a preflight only roughly, for its expiry.
    param ([hashtable] $Need, [hashtable] $Found)
    $ahead = $Found.End - (Get-Date).ToUniversalTime()
    $from = [string] (Get-Field -Object $Found.Receipt -Name 'host')
    if (($from -eq $env:COMPUTERNAME -and $ahead.Ticks -gt 0) -or
        ($Need.ContainsKey('Hours') -and $ahead.TotalHours -gt 1)) {
        "The receipt of $($Need.Id) ended on $from at $(Get-LocalText -At $Found.End), which is " +
        "still to come: a clock was set back. Set the clocks right, delete $($Found.Path), and " +
        "run $($Need.Id) again."
    } elseif ($Need.ContainsKey('Hours') -and $ahead.TotalHours -lt - $Need.Hours) {
        "The receipt of $($Need.Id), ended at $(Get-LocalText -At $Found.End), is older than " +
        "$($Need.Hours) hours. Run $($Need.Id) again."
    }
}

function Get-ReceiptProblem {
    # The receipt of the approved text, completed, not undone, from the order that was kept.
    param ([hashtable] $Need)
    $id = $Need.Id
    $found = Find-Receipt -Id $id
    if (-not $found) {
        return "There is no receipt of $id. Run it, or carry its receipt here (-ReceiptPath)."
    }
    $receipt = $found.Receipt
    # The outcome first, so that the operator is told the right thing.
    $outcome = Get-Field -Object $receipt -Name 'outcome'
    if ('completed', 'nothing to undo' -notcontains $outcome) {
        return "$id ended as '$outcome'. Run it again until it is completed."
    }
    if ((Get-Field -Object $receipt -Name 'hash') -ne $Need.Hash) {
        return "$($found.Path) is from another text of $id. Use the files of one package only."
    }
    $problem = Get-ClockProblem -Need $Need -Found $found
    if ($problem) {
        return $problem
    }
    foreach ($relied in @(Get-Field -Object $receipt -Name 'relied')) {
        # A preflight that was only run again in time breaks no order.
        $earlier = Find-Receipt -Id $relied.id
        if ($earlier -and -not $relied.expires -and $earlier.Hash -ne $relied.hash) {
            return "$($relied.id) was run again after $id. Run $id again."
        }
    }
    $expires = $Need.ContainsKey('Hours')
    $Runbook.Relied += [ordered] @{ id = $id; hash = $found.Hash; expires = $expires }
    $state = @{}
    foreach ($step in @(Get-Field -Object $receipt -Name 'steps')) {
        $state[$step.id] = ConvertTo-StepValue -Value (Get-Field -Object $step -Name 'state')
    }
    $Runbook.Past[$id] = @{ End = $found.End; State = $state }
    Write-RunbookEvent -Status 'receipt' -Message "$id is completed ($($found.Hash))."
}

function Get-GateProblem {
    # Window and receipts. A predecessor that is missing or skipped is the fact 'unknown'.
    Get-WindowProblem
    foreach ($need in $Runbook.Needs) {
        $Runbook.Past[$need.Id] = 'unknown'
        $problem = Get-ReceiptProblem -Need $need
        if ($problem -and $Runbook.Given.SkipReceipt -contains $need.Id) {
            Add-Override -Message $problem
        } else {
            $problem
        }
    }
}

function Save-Receipt {
    # Its end is later than that of the receipt it replaces, even if the clock was set back:
    # an older copy that was carried elsewhere must not win.
    param ([System.Collections.IDictionary] $Receipt)
    $old = Find-Receipt -Id $Receipt.runbook
    $Receipt.end = Get-UtcText
    if ($old -and $old.End -ge (Get-Date).ToUniversalTime()) {
        $Receipt.end = Get-UtcText -At $old.End.AddMilliseconds(1)
        Write-RunbookEvent -Status 'clock' -Message ("The clock was set back: $($old.Path) ended " +
            "at $(Get-LocalText -At $old.End). Set it right, and tell who reads the evidence.")
    }
    $name = "$($Receipt.runbook).receipt.json"
    $path = Join-Path -Path $Runbook.Folder -ChildPath $name
    Write-RunbookFile -Path $path -Value $Receipt
    $path
}

function Clear-Receipt {
    # What is about to change makes these receipts untrue: that of the opposite direction, and
    # our own until this run has ended. A voided one stays, so that it beats older copies.
    param ([string[]] $Ids, [string] $Outcome)
    foreach ($id in $Ids) {
        $path = Join-Path -Path $Runbook.Folder -ChildPath "$id.receipt.json"
        if ([System.IO.File]::Exists($path)) {
            $void = [ordered] @{ runbook = $id; change = $Runbook.Change; outcome = $Outcome }
            $void.host = $env:COMPUTERNAME
            $void.by = $Runbook.Id
            $null = Save-Receipt -Receipt $void
        }
    }
}

function Write-RunbookReceipt {
    # A run that only found everything done leaves a completed receipt as it is, unless it is
    # one of checks that rely on nothing, such as a preflight: that one grows old.
    param ([string] $Outcome)
    $relied = ConvertTo-RunbookJson -Value @($Runbook.Relied)
    $old = Find-Receipt -Id $Runbook.Id
    if ($old -and -not $Runbook.Touched -and
        (Get-Field -Object $old.Receipt -Name 'hash') -eq $Runbook.ContentHash) {
        $Runbook.Changed = $old.Receipt.changed
        $ages = $Runbook.Needs.Count -eq 0 -and -not ($Runbook.Steps | Where-Object {
                $_.Apply })
        $same = $relied -eq (ConvertTo-RunbookJson -Value @($old.Receipt.relied))
        if ($same -and -not $ages -and $Runbook.Code -eq 0 -and
            'completed', 'nothing to undo' -contains $old.Receipt.outcome) {
            return
        }
    }
    $path = Save-Receipt -Receipt ([ordered] @{
            runbook = $Runbook.Id
            change = $Runbook.Change
            hash = $Runbook.ContentHash
            host = $env:COMPUTERNAME
            operator = $Runbook.Operator
            outcome = $Outcome
            start = $Runbook.Start
            end = ''
            changed = $Runbook.Changed
            relied = @($Runbook.Relied)
            overrides = @($Runbook.Overrides)
            steps = @($Runbook.Results)
            evidence = $Runbook.Previous
        })
    Write-RunbookEvent -Status 'receipt' -Message $path
}

# --- 5 Judging a step: reads and compares, changes nothing ---------------------------

function ConvertTo-StepValue {
    # Text, a sorted list of texts, or a table of them: one form for Read and for records.
    param ([object] $Value)
    if ($Value -is [System.Collections.IDictionary]) {
        $Value = [pscustomobject] $Value
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $table = [ordered] @{}
        foreach ($property in $Value.PSObject.Properties) {
            $item = ConvertTo-StepValue -Value $property.Value
            if ($item -is [array]) {
                # Without the wrapper that 5.1 would write as a table with Count and value.
                $item = [string[]] $item
            }
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

function Format-StepValue {
    # For the screen only: a stored list is never joined.
    param ([object] $Value)
    if ($Value -is [System.Collections.IDictionary]) {
        return $Value.Text
    }
    $items = @($Value | Where-Object -FilterScript { $_ })
    if ($items.Count -eq 0) {
        return 'nothing'
    }
    "'" + ($items -join "', '") + "'"
}

function Test-StepValue {
    # Equal as sets, so that one text and a list of one are the same; or matching a pattern.
    param ([object] $Wanted, [object] $Present)
    $have = @($Present | Where-Object -FilterScript { $_ })
    if ($Wanted -is [System.Collections.IDictionary]) {
        return $have.Count -eq 1 -and $have[0] -cmatch $Wanted.Pattern
    }
    $want = @($Wanted | Where-Object -FilterScript { $_ })
    $extra = @($have | Where-Object -FilterScript { $want -notcontains $_ })
    $missing = @($want | Where-Object -FilterScript { $have -notcontains $_ })
    $extra.Count + $missing.Count -eq 0
}

function Test-StepValueBetween {
    # Undo: as it was, as this change left it, or a list on the way from one to the other.
    param ([object] $Before, [object] $Left, [object] $Present)
    if ((Test-StepValue -Wanted $Before -Present $Present) -or
        (Test-StepValue -Wanted $Left -Present $Present)) {
        return $true
    }
    if ($Present -is [string] -or $Left -is [System.Collections.IDictionary]) {
        return $false
    }
    $either = @($Before) + @($Left)
    $both = @($Before | Where-Object -FilterScript { @($Left) -contains $_ })
    $foreign = @($Present | Where-Object -FilterScript { $either -notcontains $_ })
    $lost = @($both | Where-Object -FilterScript { $Present -notcontains $_ })
    $foreign.Count + $lost.Count -eq 0
}

function Read-StepState {
    # One table with the wanted names, and apart from them Identity and Source.
    param ([hashtable] $Step)
    $found = @(& $Step.Read $Step.Source $Runbook.Past)
    if ($found.Count -ne 1 -or $found[0] -isnot [System.Collections.IDictionary]) {
        throw "$($Step.Id): Read did not answer with one table. Call the author of the runbook."
    }
    $state = [ordered] @{ Identity = [ordered] @{}; Source = '' }
    $answer = ConvertTo-StepValue -Value $found[0]
    foreach ($name in @($answer.Keys)) {
        $state[$name] = $answer[$name]
    }
    $names = @($state.Keys | Where-Object -FilterScript { 'Identity', 'Source' -notcontains $_ })
    if (-not (Test-StepValue -Wanted @($Step.Wanted.Keys) -Present $names)) {
        throw "$($Step.Id): Read answers other names than wanted. Call the author of the runbook."
    }
    $Step.Source = $state.Source
    $state
}

function Get-RecordPath {
    # An undo reads the records of the runbook that it takes back.
    param ([hashtable] $Step, [string] $Kind)
    $id = $Runbook.Id
    if ($Runbook.Undoes) {
        $id = $Runbook.Undoes.Id
    }
    Join-Path -Path $Runbook.Folder -ChildPath "$id.$($Step.Id).$Kind.json"
}

function Save-StepRecord {
    # On disk before the change (before) and right after it (after).
    param ([hashtable] $Step, [string] $Kind, [string] $Proof)
    $record = [ordered] @{
        runbook = $Runbook.Id
        hash = $Runbook.ContentHash
        at = Get-UtcText
        proof = $Proof
        state = $Step.Present
    }
    Write-RunbookFile -Path (Get-RecordPath -Step $Step -Kind $Kind) -Value $record
    $Step[$Kind] = Read-StepRecord -Step $Step -Kind $Kind
}

function Read-StepRecord {
    # What an earlier run of the same text recorded, or nothing.
    param ([hashtable] $Step, [string] $Kind)
    $path = Get-RecordPath -Step $Step -Kind $Kind
    $record = Read-RunbookJson -Path $path
    if (-not $record) {
        return
    }
    $hash = $Runbook.ContentHash
    if ($Runbook.Undoes) {
        $hash = $Runbook.Undoes.Hash
    }
    if ($record.hash -ne $hash) {
        Exit-Runbook -Code 2 -Message ("$path was written by another text of this runbook. " +
            'Run the undo of the old package first, then go on with this one.')
    }
    $state = ConvertTo-StepValue -Value $record.state
    $state.Proof = $record.proof
    $state
}

function Initialize-Step {
    # Fills in what a step leaves out, and joins it with what earlier runs recorded.
    param ([hashtable] $Step)
    $defaults = @{
        Wanted = [ordered] @{}; Read = $null; Require = $null; Apply = $null; Ask = $null
        Otherwise = "Call $($Runbook.Help)."; Diagnosis = @()
        Relaxed = $false; Repeats = $false; Replicates = $false
        TimeoutSeconds = 300 * [int] $Step.ContainsKey('Apply')
        Before = $null; After = $null; Present = $null; Target = $null; Source = ''
        Todo = @(); Unproven = @(); Kept = $false; Waits = $false; Begun = $false
    }
    foreach ($name in $defaults.Keys) {
        if (-not $Step.ContainsKey($name)) {
            $Step[$name] = $defaults[$name]
        }
    }
    foreach ($name in @($Step.Wanted.Keys)) {
        if ($Step.Wanted[$name] -isnot [System.Collections.IDictionary]) {
            $Step.Wanted[$name] = ConvertTo-StepValue -Value $Step.Wanted[$name]
        }
    }
    if (-not $Step.Apply -or $Step.Repeats) {
        return
    }
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

function Test-Kept {
    # The operator decided that this value stays as it is; in undo only a whole step can.
    param ([hashtable] $Step, [string] $Name)
    $kept = $Runbook.Given.KeepPresent
    if (-not $Runbook.Undoes) {
        return $kept -contains "$($Step.Id).$Name"
    }
    $open = @($Step.Wanted.Keys | Where-Object -FilterScript {
            $kept -notcontains "$($Step.Id).$_" })
    $kept -contains $Step.Id -or $open.Count -eq 0
}

function Compare-Step {
    # Sets Target, what shall hold, and Todo, the names that do not hold yet. Forward these are
    # the wanted values, in undo those from before this change, and kept ones stay as they are.
    param ([hashtable] $Step)
    $source = $Step.Wanted
    if ($Runbook.Undoes) {
        # Without a change of ours, whatever is there stays there.
        $source = $Step.Present
        if ($Step.Before -and -not ($Step.After -and $Step.After.Proof -eq 'held')) {
            $source = $Step.Before
        }
    }
    $Step.Kept = $false
    $Step.Target = [ordered] @{ Identity = $Step.Present.Identity }
    if ($Runbook.Undoes) {
        $Step.Target.Identity = $source.Identity
    }
    $Step.Todo = @(foreach ($name in $Step.Wanted.Keys) {
            $Step.Target[$name] = $source[$name]
            if (-not (Test-StepValue -Wanted $source[$name] -Present $Step.Present[$name])) {
                if (($Runbook.Undoes -or $Step.After) -and (Test-Kept -Step $Step -Name $name)) {
                    $Step.Target[$name] = $Step.Present[$name]
                    $Step.Kept = $true
                } else {
                    $name
                }
            }
        })
}

function Get-DriftReason {
    # Forward: this step was done and recorded, and somebody changed its result since.
    param ([hashtable] $Step)
    foreach ($name in $Step.Todo) {
        $left = Format-StepValue -Value $Step.After[$name]
        $now = Format-StepValue -Value $Step.Present[$name]
        "$name was left as $left and is $now now. Ask who changed it; put it back, or keep it " +
        "with -KeepPresent '$($Step.Id).$name' -Reason '...'."
    }
}

function Get-UndoReason {
    # Only what this change left, by value and by identity, may be taken back.
    param ([hashtable] $Step)
    $left = $Step.Wanted
    if ($Step.After) {
        $left = $Step.After
    }
    $proven = $Step.After -and $Step.After.Proof -eq 'changed'
    $keep = "keep the whole step with -KeepPresent '$($Step.Id)' -Reason '...'"
    $Step.Unproven = @()
    foreach ($name in $Step.Wanted.Keys) {
        $now = Format-StepValue -Value $Step.Present[$name]
        $state = @{ Before = $Step.Before[$name]; Left = $left[$name] }
        if (-not (Test-StepValueBetween @state -Present $Step.Present[$name])) {
            "$name is $now, this change left $(Format-StepValue -Value $left[$name]). " +
            "Ask who changed it; put it back, or $keep."
        }
        if (-not $proven -and $Step.Todo -contains $name) {
            $Step.Unproven += "$name $now"
        }
        if ($Step.After) {
            $ours = @($Step.Before.Identity[$name]) + @($Step.After.Identity[$name])
            $foreign = @($Step.Present.Identity[$name] | Where-Object -FilterScript {
                    $_ -and $ours -notcontains $_ })
            if ($foreign.Count -gt 0) {
                "$name $now is not what this change made: it has the identity " +
                "$(Format-StepValue -Value $foreign). Remove it by hand if it shall go, or $keep."
            }
        }
    }
}

function Get-OrphanReason {
    # Undo without records: whatever looks like ours is named, and left alone.
    param ([hashtable] $Step)
    $alike = @(foreach ($name in $Step.Wanted.Keys) {
            $wanted = $Step.Wanted[$name]
            $same = @($Step.Present[$name] | Where-Object -FilterScript { $_ -and (
                        $wanted -contains $_ -or (Test-StepValue -Wanted $wanted -Present $_)) })
            if ($same.Count -gt 0 -and -not (Test-Kept -Step $Step -Name $name)) {
                "$name is $(Format-StepValue -Value $same)"
            }
        })
    if ($alike.Count -gt 0) {
        "$($Step.Id): $($alike -join ', '), as $($Runbook.Undoes.Id) would leave it. There is no " +
        'record of it here, nothing was taken back. Find the records, or keep the whole step ' +
        "with -KeepPresent '$($Step.Id)' -Reason '...'."
    }
}

function Get-StepReason {
    # Reads and judges a step: fills Present and Todo, answers with the reasons to refuse.
    param ([hashtable] $Step)
    $Step.Present = Read-StepState -Step $Step
    Compare-Step -Step $Step
    if ($Step.Todo.Count -eq 0 -or ($Step.Waits -and -not $Runbook.Preview)) {
        return
    }
    $before = $Step.Present
    $reasons = @()
    if ($Runbook.Undoes) {
        $before = $Step.Target
        $reasons += @(Get-UndoReason -Step $Step)
    } elseif ($Step.Before) {
        $before = $Step.Before
    }
    if ($Step.After -and -not $Runbook.Undoes) {
        $reasons += @(Get-DriftReason -Step $Step)
    }
    foreach ($name in $Step.Todo) {
        if (-not $Step.After -and -not $Runbook.Undoes -and (Test-Kept -Step $Step -Name $name)) {
            $reasons += "$name was never left otherwise by this runbook, so -KeepPresent does " +
            'not apply. Decide before the change, in the inventory.'
        }
    }
    if ($Step.Require) {
        $reasons += @(& $Step.Require $before $Step.Present)
    }
    $reasons | Where-Object -FilterScript { $_ } | ForEach-Object -Process { "$($Step.Id): $_" }
}

# --- 6 Working a step: ask, judge again, record, apply, read until it holds, record --

function Write-StepDifference {
    # Present value and wanted value, one line each.
    param ([hashtable] $Step, [string] $Status)
    foreach ($name in $Step.Todo) {
        $now = Format-StepValue -Value $Step.Present[$name]
        $then = Format-StepValue -Value $Step.Target[$name]
        $text = "$($Step.Id): $name is $now, wanted is $then."
        Write-RunbookEvent -Number $Step.Number -Status $Status -Message $text
    }
}

function Confirm-Question {
    # The first answer is No; a prompt that cannot be shown is a No. A hold point or a doubt
    # is answered by -Unattended only together with a reason that the auditor can read.
    param ([hashtable] $Step, [string] $Question, [switch] $Hold)
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
    $text = "$Question $(@('No', 'Yes')[$answer]) ($by)."
    Write-RunbookEvent -Number $Step.Number -Status 'answer' -Message $text
    if ($answer -eq 0) {
        Exit-Runbook -Code 3 -Message ("Step $($Step.Number) was declined. Run this again when " +
            "it may go on; unattended, a hold point needs -Reason '...'.")
    }
}

function Wait-Step {
    # Reads until the target holds or the time is over: replication takes its time. Rounds are
    # counted too, so that a clock that is set back meanwhile does not make it endless.
    param ([hashtable] $Step)
    $limit = (Get-Date).AddSeconds($Step.TimeoutSeconds)
    for ($waited = 0; $true; $waited += 5) {
        $Step.Present = Read-StepState -Step $Step
        Compare-Step -Step $Step
        if ($Step.Todo.Count -eq 0 -or $waited -ge $Step.TimeoutSeconds -or
            (Get-Date) -ge $limit) {
            return
        }
        Start-Sleep -Seconds 5
    }
}

function Clear-UndoneRecord {
    # After-records first: a cut-off here leaves a state that any run can go on from.
    $stamp = (Get-UtcText).Replace(':', '').Replace('.', '')
    foreach ($kind in 'After', 'Before') {
        foreach ($step in $Runbook.Steps) {
            $path = Get-RecordPath -Step $step -Kind $kind
            if ([System.IO.File]::Exists($path)) {
                [System.IO.File]::Move($path, "$path.undone-$stamp")
            }
        }
    }
}

function Invoke-Apply {
    # A vendor's script is not written for strict mode, and functions in modules see only the
    # global preference: both are relaxed for this call alone. What it prints is evidence.
    param ([hashtable] $Step, [object] $Before)
    $say = {
        $text = ([string] $_).TrimEnd()
        if ($text) {
            Write-RunbookEvent -Number $Step.Number -Status 'output' -Message $text
        }
    }
    if (-not $Step.Relaxed) {
        & $Step.Apply $Before $Step.Present | ForEach-Object -Process $say
        return
    }
    Set-StrictMode -Off
    $ErrorActionPreference = 'Continue'
    $saved = $global:ErrorActionPreference
    $global:ErrorActionPreference = 'Continue'
    try {
        & $Step.Apply $Before $Step.Present *>&1 | ForEach-Object -Process $say
    } finally {
        $global:ErrorActionPreference = $saved
    }
}

function Assert-AsShown {
    # Time has passed at the prompt: what was shown and answered is what must still be there.
    param ([hashtable] $Step)
    $shown = ConvertTo-RunbookJson -Value $Step.Present
    $doubts = $Step.Unproven -join ' '
    Assert-NoProblem -Problems @(Get-WindowProblem; Get-StepReason -Step $Step)
    $now = ConvertTo-RunbookJson -Value $Step.Present
    if ($shown -ne $now -or $doubts -ne ($Step.Unproven -join ' ')) {
        Write-StepDifference -Step $Step -Status 'differs'
        Exit-Runbook -Code 2 -Message ("Step $($Step.Number) is not as it was shown: somebody " +
            'works here at this moment. Find out who, then run this again.')
    }
}

function Complete-HeldStep {
    # Nothing to change. Recorded all the same, so that undo knows what this change did not do.
    param ([hashtable] $Step, [System.Collections.IDictionary] $Result)
    $Result.outcome = 'already so'
    $text = 'Already as wanted.'
    if ($Runbook.Undoes -and -not $Step.Before) {
        $Result.outcome = 'nothing to undo'
        $text = 'Nothing of this change is here.'
    }
    if ($Step.Kept) {
        $Result.outcome = 'kept'
        $text = 'Kept as it is, as decided with -KeepPresent.'
    }
    if (-not ($Runbook.Preview -or $Runbook.Undoes -or $Step.Repeats -or $Step.After)) {
        $proof = 'unproven'
        if (-not $Step.Before) {
            $proof = 'held'
            Save-StepRecord -Step $Step -Kind 'Before' -Proof $proof
        }
        Save-StepRecord -Step $Step -Kind 'After' -Proof $proof
    }
    Write-RunbookEvent -Number $Step.Number -Status 'done' -Message $text -Data $Step.Present
}

function Invoke-ChangeStep {
    # The life of a changing step, forward and undo alike.
    param ([hashtable] $Step, [System.Collections.IDictionary] $Result)
    $Result.outcome = 'refused'
    if ($Step.Waits -and -not $Runbook.Preview) {
        # Our own half-done work may still be on its way: never call it foreign.
        $text = "Begun by an earlier run: waiting up to $($Step.TimeoutSeconds) s for its result."
        Write-RunbookEvent -Number $Step.Number -Status 'wait' -Message $text
        Wait-Step -Step $Step
        $Step.Waits = $false
        Assert-NoProblem -Problems (Get-StepReason -Step $Step)
    } elseif ($Runbook.Touched) {
        Assert-NoProblem -Problems (Get-StepReason -Step $Step)
    }
    if ($Step.Todo.Count -eq 0) {
        Complete-HeldStep -Step $Step -Result $Result
        return
    }
    if ($Runbook.Preview) {
        $Result.outcome = 'would change'
        Write-StepDifference -Step $Step -Status 'whatif'
        return
    }
    Write-StepDifference -Step $Step -Status 'differs'
    $Result.outcome = 'declined'
    Confirm-Question -Step $Step -Question "$($Step.Title)?"
    if ($Step.Unproven.Count -gt 0) {
        $text = 'No record proves that this change made these: ' + ($Step.Unproven -join '; ') +
        '. Take them back?'
        Confirm-Question -Step $Step -Question $text -Hold
    }
    $Result.outcome = 'refused'
    Assert-AsShown -Step $Step

    $Result.outcome = 'failed'
    Invoke-RecordedApply -Step $Step
    $Result.outcome = 'not verified'
    Wait-Step -Step $Step
    if ($Step.Todo.Count -gt 0) {
        Write-StepDifference -Step $Step -Status 'problem'
        Invoke-Diagnosis -Step $Step
        Exit-Runbook -Code 4 -Message ("Step $($Step.Number) was applied, but its values did not " +
            "come within $($Step.TimeoutSeconds) s. Run this again: it goes on from there.")
    }
    if (-not ($Runbook.Undoes -or $Step.Repeats)) {
        Save-StepRecord -Step $Step -Kind 'After' -Proof 'changed'
    }
    $Result.outcome = 'changed'
    $last = @{ Number = $Step.Number; Status = 'done'; Data = $Step.Present }
    Write-RunbookEvent @last -Message 'Changed and read back.'
}

function Invoke-RecordedApply {
    # The before-values are on disk, and receipts that become untrue are void, before anything
    # changes. From here on nobody says that nothing was changed.
    param ([hashtable] $Step)
    if (-not ($Step.Before -or $Step.Repeats)) {
        Save-StepRecord -Step $Step -Kind 'Before' -Proof 'before'
    }
    $before = $Step.Before
    if ($Runbook.Undoes) {
        $before = $Step.Target
    }
    Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'
    Clear-Receipt -Ids $Runbook.Id -Outcome 'interrupted'
    $Runbook.Touched = $true
    $Runbook.Changed = Get-UtcText
    $Step.Begun = $true
    $state = @{ Number = $Step.Number; Status = 'apply'; Data = $Step.Present }
    Write-RunbookEvent @state -Message $Step.Title
    Invoke-Apply -Step $Step -Before $before
}

function Invoke-AskStep {
    # A hold point without a cmdlet, asked only when something behind it will change.
    param ([hashtable] $Step, [System.Collections.IDictionary] $Result)
    $behind = @($Runbook.Steps | Where-Object -FilterScript {
            $_.Number -gt $Step.Number -and ($_.Todo.Count -gt 0 -or $_.Waits) })
    if ($behind.Count -eq 0) {
        $Result.outcome = 'not needed'
    } elseif ($Runbook.Preview) {
        $Result.outcome = 'would ask'
        $text = "$($Step.Ask) ($($Step.Who))"
        Write-RunbookEvent -Number $Step.Number -Status 'whatif' -Message $text
    } else {
        $Result.outcome = 'declined'
        Confirm-Question -Step $Step -Question "$($Step.Ask) (To answer: $($Step.Who))" -Hold
        $Result.outcome = 'answered'
    }
}

# --- 7 Checks: values, or actions that say what they saw. Silence is no success ------

function Get-CheckAnswer {
    # What an action saw, and its problems; one that threw is a problem too.
    param ([scriptblock] $Check, [string] $Otherwise = '')
    try {
        $answer = @(& $Check)
        if ($answer.Count -ne 1 -or $answer[0] -isnot [hashtable] -or -not $answer[0].Saw) {
            throw 'it did not say what it saw.'
        }
        $problems = @($answer[0].Problems | Where-Object -FilterScript { $_ })
        @{ Saw = $answer[0].Saw; Problems = $problems; Threw = $false }
    } catch {
        $text = "It could not be checked: $($_.Exception.Message) $Otherwise".Trim()
        @{ Saw = $null; Problems = @($text); Threw = $true }
    }
}

function Invoke-CheckStep {
    # Values read until they hold, or an action. No check hides another.
    param ([hashtable] $Step, [System.Collections.IDictionary] $Result)
    $found = @{ Saw = $null; Problems = @() }
    if (-not $Step.Read) {
        $found = Get-CheckAnswer -Check $Step.Check -Otherwise $Step.Otherwise
    } else {
        try {
            Wait-Step -Step $Step
            $found.Saw = $Step.Present
            $found.Problems = @(foreach ($name in $Step.Todo) {
                    "$name is $(Format-StepValue -Value $Step.Present[$name]), wanted is " +
                    "$(Format-StepValue -Value $Step.Target[$name]). $($Step.Otherwise)"
                })
        } catch {
            $text = "It could not be checked: $($_.Exception.Message) $($Step.Otherwise)"
            $found.Problems = @($text)
        }
    }
    foreach ($problem in $found.Problems) {
        $text = "$($Step.Id): $problem"
        Write-RunbookEvent -Number $Step.Number -Status 'problem' -Message $text
    }
    $Result.outcome = 'passed'
    $text = 'Passed.'
    if ($found.Problems.Count -gt 0) {
        $Result.outcome = 'not passed'
        $text = 'Not passed.'
        Invoke-Diagnosis -Step $Step
    }
    $Step.Present = $found.Saw
    Write-RunbookEvent -Number $Step.Number -Status 'done' -Message $text -Data $found.Saw
}

function Invoke-Diagnosis {
    # The author's list of causes, in order, up to the first that fails: the one to mend.
    param ([hashtable] $Step)
    $open = @()
    foreach ($cause in $Step.Diagnosis) {
        $found = Get-CheckAnswer -Check $cause.Check
        $text = 'in order.'
        if ($found.Threw) {
            $text = $found.Problems[0]
            $open += $cause.Id
        } elseif ($found.Problems.Count -gt 0) {
            $text = 'fails.'
        }
        $text = "$($cause.Id): $($cause.Text): $text"
        $line = @{ Number = $Step.Number; Status = 'diagnosis' }
        Write-RunbookEvent @line -Message $text -Data $found.Saw
        if ($found.Problems.Count -gt 0 -and -not $found.Threw) {
            $text = "First of the list that fails: $($cause.Id): $($found.Problems -join ' ')"
            Write-RunbookEvent @line -Message $text
            return
        }
    }
    if ($Step.Diagnosis.Count -gt 0) {
        $text = "Nothing of the list fails (could not be checked: $($open.Count)). " +
        "Call $($Runbook.Help)."
        Write-RunbookEvent @line -Message $text
    }
}

# --- 8 The run -----------------------------------------------------------------------

function Invoke-Survey {
    # Every changing step is read and judged; all refusals together, nothing changed yet.
    $reasons = @()
    $orphans = @()
    foreach ($step in $Runbook.Steps) {
        Initialize-Step -Step $step
    }
    foreach ($step in $Runbook.Steps) {
        if (-not $step.Apply) {
            continue
        }
        try {
            $reasons += @(Get-StepReason -Step $step)
            if ($Runbook.Undoes -and -not $step.Before) {
                $orphans += @(Get-OrphanReason -Step $step)
            }
        } catch {
            if (-not $Runbook.Preview) {
                throw
            }
            $reasons += "$($step.Id): it could not be read: $($_.Exception.Message)"
        }
    }
    Assert-NoProblem -Problems $reasons
    Assert-NoProblem -Problems $orphans -Status 'problem' -Code 4
}

function Save-Configuration {
    # The present configuration, as the vendor exports it, before the first change of a run.
    $work = @($Runbook.Steps | Where-Object -FilterScript { $_.Todo.Count -gt 0 })
    if (-not $Runbook.Save -or $Runbook.Preview -or $work.Count -eq 0) {
        return
    }
    $stamp = (Get-UtcText).Replace(':', '').Replace('.', '')
    $path = Join-Path -Path $Runbook.Folder -ChildPath "$($Runbook.Id).saved-$stamp"
    $null = & $Runbook.Save $path
    Write-RunbookEvent -Status 'saved' -Message "$path.*"
}

function Invoke-RunbookStep {
    # The steps in order; the first refusal ends a change, but no check hides another.
    foreach ($step in $Runbook.Steps) {
        $result = [ordered] @{ step = $step.Number; id = $step.Id; title = $step.Title }
        $result.outcome = 'failed'
        $result.state = $null
        $Runbook.Results += , $result
        Write-RunbookEvent -Number $step.Number -Status 'start' -Message $step.Title
        try {
            if ($step.Ask) {
                Invoke-AskStep -Step $step -Result $result
            } elseif (-not $step.Apply) {
                Invoke-CheckStep -Step $step -Result $result
            } elseif ($step.Present) {
                Invoke-ChangeStep -Step $step -Result $result
            } else {
                $result.outcome = 'not read'
            }
        } finally {
            $result.state = $step.Present
        }
    }
    $failed = @($Runbook.Results | Where-Object -FilterScript { $_.outcome -eq 'not passed' })
    if ($failed.Count -gt 0) {
        Exit-Runbook -Code 4 -Message ("$($failed.Count) of $($Runbook.Steps.Count) checks did " +
            'not pass. Do what the lines above say, then run this again.')
    }
    if ($Runbook.Undoes -and -not $Runbook.Preview) {
        Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'
        Clear-UndoneRecord
    }
}

function Write-RunbookFailure {
    # One sentence for the operator; the place in the script is for the evidence only.
    param ([System.Management.Automation.ErrorRecord] $Failure)
    $cause = $Failure.Exception
    while ($cause.InnerException -and -not $cause.Data.Contains('RunbookExitCode')) {
        $cause = $cause.InnerException
    }
    if ($cause.Data.Contains('RunbookExitCode')) {
        $Runbook.Code = $cause.Data['RunbookExitCode']
    }
    $status = @('', 'failed', 'refused', 'declined', 'unproven')[$Runbook.Code]
    $last = @{ Status = $status; Message = $cause.Message; Data = $Failure.ScriptStackTrace }
    try {
        Write-RunbookEvent @last
    } catch {
        Write-Host -Object "The evidence could not be written: $($_.Exception.Message)"
    }
}

function Get-ChangeText {
    # What was changed, in the words of the steps.
    if (-not $Runbook.Touched) {
        return 'Nothing was changed.'
    }
    foreach ($step in $Runbook.Steps | Where-Object -FilterScript { $_.Begun }) {
        $result = $Runbook.Results | Where-Object -FilterScript { $_.id -eq $step.Id }
        if ($result.outcome -eq 'changed') {
            "Changed: $($step.Title)."
        } else {
            "Begun and not finished: $($step.Title)."
        }
    }
}

function Get-NextText {
    # The next action, by exit code.
    $again = 'then run this file again'
    $help = "Help: $($Runbook.Help)."
    if ($Runbook.Preview -and $Runbook.Code -eq 0) {
        return 'Next: run this file without -WhatIf.'
    }
    switch ($Runbook.Code) {
        0 { "Next: $($Runbook.Next)" }
        1 { "Next: read the line 'failed' above, $($again): it goes on where it stopped. $help" }
        2 { "Next: do what the lines 'refused' and 'closed' above say, $again. $help" }
        3 { "Next: wait until it may go on, $again. $help" }
        4 { "Next: do what the lines 'problem' and 'unproven' above say, $again. $help" }
    }
}

function Complete-Runbook {
    # Receipt and last words. Exit code 2 promises that nothing was changed.
    if ($Runbook.Code -eq 2 -and $Runbook.Touched) {
        $Runbook.Code = 1
    }
    $code = $Runbook.Code
    $outcome = @('completed', 'failed', 'refused', 'declined', 'not verified')[$code]
    $kinds = @($Runbook.Results | ForEach-Object -Process { $_.outcome })
    if ($code -eq 0 -and $Runbook.Undoes -and -not ($kinds -ne 'nothing to undo')) {
        $outcome = 'nothing to undo'
    }
    $failedCheck = $code -eq 4 -and $kinds -contains 'not passed'
    if ($Runbook.Folder -and -not $Runbook.Preview -and
        ($code -eq 0 -or $Runbook.Touched -or $failedCheck)) {
        Write-RunbookReceipt -Outcome $outcome
    }
    foreach ($result in $Runbook.Results) {
        Write-Host -Object ('Step {0}  {1,-15} {2}' -f $result.step, $result.outcome, $result.title)
    }
    if ($Runbook.Preview) {
        $outcome = "preview, $($Runbook.Closed) reason(s) to refuse"
        if ($code -eq 0 -and $Runbook.Closed -gt 0) {
            $Runbook.Code = 2
        }
    }
    $words = @(Get-ChangeText) -join ' '
    if ($Runbook.Preview) {
        $words += ' A preview writes its evidence, and nothing else.'
    }
    $text = "Result: $outcome, exit code $($Runbook.Code). $words"
    Write-RunbookEvent -Status 'end' -Message $text
    Write-Host -Object "Evidence: $($Runbook.EvidencePath)"
    Write-Host -Object (Get-NextText)
    $Runbook.Ended = $true
}

$facts = @{
    Preview = [bool] $WhatIfPreference
    Given = [ordered] @{
        Unattended = [bool] $Unattended
        ReceiptPath = $ReceiptPath
        # Under -File a list arrives as one text.
        SkipReceipt = @($SkipReceipt -split '[, ]+' | Where-Object -FilterScript { $_ })
        KeepPresent = @($KeepPresent -split '[, ]+' | Where-Object -FilterScript { $_ })
        OutsideWindow = [bool] $OutsideWindow
        Reason = $Reason
    }
    Culture = [System.Globalization.CultureInfo]::InvariantCulture
    Run = [System.Guid]::NewGuid().ToString(); Code = 1; Start = ''; Changed = ''; Ended = $false
    Folder = ''; Lock = $null; Evidence = $null; EvidencePath = 'none'; EvidenceLength = 0
    Previous = ''; Closed = 0; Groups = @(); Operator = ''; PowerShell = ''; Past = @{}
    Touched = $false; Relied = @(); Overrides = @(); Results = @(); Faults = @()
}
foreach ($name in $facts.Keys) {
    $Runbook[$name] = $facts[$name]
}
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
            Exit-Runbook -Code 2 -Message ("The product's shell does not answer: $words. " +
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
        Write-Host -Object ("Receipt or evidence could not be written: $($_.Exception.Message) " +
            "Do not go on. Call $($Runbook.Help).")
        $Runbook.Ended = $true
    }
} finally {
    foreach ($stream in @($Runbook.Lock; $Runbook.Evidence)) {
        if ($stream) {
            $stream.Dispose()
        }
    }
    if (-not $Runbook.Ended) {
        Write-Host -Object ('Interrupted: what was begun may have changed something. Run this ' +
            'file again: it goes on where this run was cut off.')
        exit 1
    }
}
exit $Runbook.Code
