# =====================================================================================
# Undo 02-001 - The end of the trust has reached the Front Ends
#
# Change   CHG0012345
# Run on   atl-cs-001.litwareinc.com   (Skype for Business Server 2015, whole
#          deployment)
# Rights   RTCUniversalServerAdmins and local administrator
# Needs    receipt of 01-001
# Effect   None: it starts replication of the configuration where it is late.
#
# Steps    1   Replicate the configuration to the Front Ends
#
# Preview  powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File <this> -WhatIf
# Exit     0 done, 1 failed, 2 refused and nothing changed, 3 declined, 4 not verified
#
# From     inventory litwareinc, generated: an edited copy refuses to run.
# =====================================================================================

#Requires -Version 3.0
[CmdletBinding(SupportsShouldProcess = $true)]
param (
    [switch] $Unattended,
    [string] $ReceiptPath = '',
    [string[]] $SkipReceipt = @(),
    [string[]] $KeepPresent = @(),
    [switch] $OutsideWindow,
    [string] $Reason = ''
)

if ([string] $ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Host -Object ('Constrained Language Mode: nothing was changed. Ask who manages ' +
        'AppLocker or WDAC to allow the signer of this file, then run it again.')
    exit 2
}

$Runbook = @{
    Id = '02-001-undo-skype-replication_ATL-CS-001'
    Change = 'CHG0012345'
    Host = 'ATL-CS-001'
    Domain = 'litwareinc.com'
    ContentHash = '8effa5628b9cb72ca8bd79ff33ceb050aea8e36df998a7fa21e3d33276dd6032'
    Signer = @()
    Window = $null
    Needs = @(
        @{ Hash = '3750393822f607ad88d968144d30373c758ca471637466fba00995179604a211'
            Id = '01-001-undo-skype-partner-application_ATL-CS-001' }
    )
    Undoes = $null
    Voids = @()
    Commands = @(
        'Get-CsManagementConnection', 'Get-CsManagementStoreReplicationStatus',
        'Get-CsOAuthConfiguration', 'Get-CsPartnerApplication',
        'Invoke-CsManagementStoreReplication')
    Members = @('RTCUniversalServerAdmins')
    Rights = 'Ask for RTCUniversalServerAdmins, then sign out and in again.'
    Next = 'undo/03-001-undo-exchange-partner-application_ATL-EXCHANGE-00.ps1 on ATL-EXCHANGE-00'
    Help = 'Skype for Business team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\Real-Time Communications\' +
    '{A593FD00-64F1-4288-A6F4-E699ED9DCA35}'
    $version = Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
        Select-Object -ExpandProperty 'Version' -ErrorAction SilentlyContinue
    if ([string] $version -notlike '6.0.9319.*') {
        "The version here is '$version', wanted is " + '6.0.9319.*' + ', ' +
        'Skype for Business Server 2015' + '. Run this on the Front End in the header, or correct ' +
        'skype.version in the inventory and build again.'
    }
}

$Runbook.Shell = {
    Import-Module -Name 'SkypeForBusiness' -ErrorAction Stop
}

$Runbook.Probe = {
    Get-CsManagementConnection -ErrorAction Stop
}

# =====================================================================================
# Step 1 of 1 - Replicate the configuration to the Front Ends
#
# Why      Each Front End works from its own copy; what follows would meet the old one.
# Effect   None for users.
# Done     Every Front End of the inventory is up to date, and the copy of this one is
#          as the runbooks before left the store.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'replication'
    Title = 'Replicate the configuration to the Front Ends'
    Repeats = $true
    TimeoutSeconds = 600
    Wanted = [ordered] @{
        behind = @()
        localCopy = @(
            '01-001-undo-skype-partner-application_ATL-CS-001'
        )
    }
    Read = {
        param ($source, $past)
        # Front Ends alone: an Edge Server may be behind for reasons that are not ours.
        $replicas = @(Get-CsManagementStoreReplicationStatus -ErrorAction Stop)
        $servers = 'atl-cs-001.litwareinc.com'
        $behind = @(foreach ($server in $servers.Split(' ')) {
                if (@($replicas | Where-Object -FilterScript {
                            $_.ReplicaFqdn -eq $server -and [string] $_.UpToDate -eq 'True' }
                    ).Count -ne 1) {
                    $server
                }
            })
        # That a replica is up to date can still be said from before: the copy of this server must
        # also show what the runbooks left that this gate belongs to.
        $reached = @()
        $left = $past['01-001-undo-skype-partner-application_ATL-CS-001']
        $oauth = Get-CsOAuthConfiguration -LocalStore -ErrorAction Stop
        $all = @(Get-CsPartnerApplication -LocalStore -ErrorAction Stop)
        # An application that uses the authorisation server is the online trust, not ours.
        $found = @($all | Where-Object -FilterScript {
                $_.ApplicationIdentifier -eq '00000002-0000-0ff1-ce00-000000000000' -and
                [string] $_.AuthToken -notmatch 'UseOAuthServer$' })
        $here = @($oauth.ExchangeAutodiscoverUrl) + @($found | ForEach-Object -Process {
                $_.Identity
                [string] $_.AuthToken -replace '^Value='
                $_.ApplicationTrustLevel
                $_.Enabled })
        if ($left -is [hashtable]) {
            $made = $left.State['partner-application']
            $there = @(
                $left.State['autodiscover-url'].url
                $made.application
                $made.url
                $made.trust
                $made.enabled)
            if ("$here".Trim() -eq "$there".Trim()) {
                $reached += '01-001-undo-skype-partner-application_ATL-CS-001'
            }
        }
        [ordered] @{ behind = $behind; localCopy = $reached }
    }
    Apply = {
        param ($before, $present)
        $here = 'atl-cs-001.litwareinc.com'
        foreach ($server in @(@($present.behind) + $here | Select-Object -Unique)) {
            Invoke-CsManagementStoreReplication -ReplicaFqdn $server -ErrorAction Stop
        }
    }
    Diagnosis = @(
        @{
            Id = 'central-store'
            Text = 'The Central Management Store has an active master'
            Check = {
                $central = @{ CentralManagementStoreStatus = $true; ErrorAction = 'Stop' }
                $store = Get-CsManagementStoreReplicationStatus @central
                $problems = @()
                if (-not [string] $store.ActiveMasterFqdn) {
                    $problems += 'It has no active master. Run: Invoke-CsManagementServerFailover'
                }
                @{ Saw = "the master is '$($store.ActiveMasterFqdn)'"; Problems = $problems }
            }
        }
        @{
            Id = 'replicas'
            Text = 'Every Front End has reported that it is up to date'
            Check = {
                $replicas = @(Get-CsManagementStoreReplicationStatus -ErrorAction Stop)
                $saw = @($replicas | ForEach-Object -Process {
                        "$($_.ReplicaFqdn) $($_.UpToDate) $($_.LastStatusReport)" })
                $servers = 'atl-cs-001.litwareinc.com'
                $problems = @(foreach ($server in $servers.Split(' ')) {
                        if (-not @($saw -match [regex]::Escape("$server True")).Count) {
                            "$server is behind. Run on it: Restart-Service -Name REPLICA; then " +
                            'run this again.'
                        }
                    })
                @{ Saw = $saw; Problems = $problems }
            }
        }
    )
}

# =====================================================================================
# Engine - from here to the end of the file every runbook has the same text
#   1 Tools      2 Evidence      3 Guards      4 Receipts      5 Judging a step
#   6 Working a step             7 Checks      8 The run
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

function Get-WebAnswer ([string] $Url, [string] $Token) {
    # The only web access. It never throws: Status is 0 when nobody answered, and Problem says
    # why. Certificates are judged by Windows. Join the texts of a header before you search
    # them: .NET Framework divides some headers at their commas.
    $found = @{
        Url = $Url; Status = 0; Problem = ''; Headers = @{}; Body = ''; Date = $null; Proxy = ''
    }
    $response = $null
    $ProgressPreference = 'SilentlyContinue'
    try {
        # Zero is the choice of Windows itself: adding TLS 1.2 (3072) would take others away.
        $allow = [System.Net.ServicePointManager]::SecurityProtocol
        if ([int] $allow) { [System.Net.ServicePointManager]::SecurityProtocol = $allow -bor 3072 }
        $proxy = [System.Net.WebRequest]::DefaultWebProxy
        if ($proxy -and -not $proxy.IsBypassed([uri] $Url)) {
            $found.Proxy = [string] $proxy.GetProxy([uri] $Url)
        }
        $ask = @{ Uri = $Url; UseBasicParsing = $true; TimeoutSec = 30; ErrorAction = 'Stop' }
        if ($Token) { $ask.Headers = @{ Authorization = "Bearer $Token" } }
        $answer = Invoke-WebRequest @ask
        $response = $answer.BaseResponse
        $found.Body = $answer.Content
        if ($found.Body -is [byte[]]) { $found.Body = $Runbook.Utf8.GetString($found.Body) }
    } catch {
        # A refusal such as 401 is an answer as well; its body stands in the details.
        $found.Body = [string] $_.ErrorDetails
        $response = Get-Field -Object $_.Exception -Name 'Response'
        $kind = [string] (Get-Field -Object $_.Exception -Name 'Status')
        if (-not $kind) { $kind = $_.Exception.GetType().Name }
        $found.Problem = "${kind}: $($_.Exception.GetBaseException().Message)"
    }
    if ($response) {
        $found.Problem = ''
        $found.Status = [int] $response.StatusCode
        foreach ($name in $response.Headers.AllKeys) {
            $found.Headers[$name.ToLowerInvariant()] = [string[]] $response.Headers.GetValues($name)
        }
        $at = [string] $response.Headers['Date'] -as [datetime]
        if ($at) { $found.Date = $at.ToUniversalTime() }
    }
    $found
}

# --- 2 Evidence: what the operator sees is what is recorded --------------------------
function Write-RunbookEvent ([string] $Status, [string] $Message, [int] $Number, [object] $Data) {
    # One line on the screen in local time, one record in the evidence in UTC, chained.
    $clock = (Get-Date).ToString('HH:mm:ss zzz', $Runbook.Culture)
    $step = @('', $Number)[[int] ($Number -gt 0)]
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
    if ($Runbook.Signer) { Get-SignerProblem -Path $PSCommandPath -Signer $Runbook.Signer }
}

function Get-ParameterProblem {
    # An override without a reason, or one that names nothing, must not pass in silence.
    $given = $Runbook.Given
    $override = $given.OutsideWindow -or $given.SkipReceipt -or $given.KeepPresent
    if ($override -and -not $given.Reason) {
        "An override needs -Reason '...'. Give the reason that the auditor shall read."
    }
    $needed = @($Runbook.Needs | ForEach-Object -Process { $_.Id })
    foreach ($id in $given.SkipReceipt | Where-Object -FilterScript { $needed -notcontains $_ }) {
        "-SkipReceipt $id is no receipt that this runbook asks for. Name one of: $needed."
    }
    foreach ($name in $given.KeepPresent) {
        $fits = @($Runbook.Steps | Where-Object -FilterScript {
                $_['Apply'] -and (Test-Kept -Step $_ -Name ($name -split '\.')[-1]) })
        if ($fits.Count -eq 0) {
            "-KeepPresent $name names no value here. Write 'step.name' as a line above shows " +
            "it; in undo a step stays whole: 'step'."
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

function Get-SignerProblem ([string] $Path, [string[]] $Signer) {
    # One sentence when a file is not as one of its signers (thumbprint, part of subject) left it.
    $again = 'Restore it from the installation media of this build.'
    if ($Path -eq $PSCommandPath) { $again = 'Fetch the approved file again.' }
    if (-not [System.IO.File]::Exists($Path)) { return "$Path is missing. $again" }
    $signature = Get-AuthenticodeSignature -LiteralPath $Path -ErrorAction Stop
    $subject = $thumbprint = ''
    $by = $signature.SignerCertificate
    if ($by) { $subject, $thumbprint = [string] $by.Subject, [string] $by.Thumbprint }
    # A comma between quotes divides no subject: such a name could hold another one.
    $parts = $subject -split ', (?=(?:[^"]*"[^"]*")*[^"]*$)'
    $expected = @($Signer | Where-Object -FilterScript {
            $_ -eq $thumbprint -or ($_ -match '=' -and $parts -ccontains $_) })
    $status = [string] $signature.Status
    $words = @{
        NotSigned = "it has no signature. $again"
        HashMismatch = "it was changed after '$subject' signed it. $again"
        NotTrusted = "'$subject' is distrusted on this server. Ask who manages its certificates."
        UnknownError = "this server does not know the root of the chain of '$subject', or the " +
        'certificate is out of its time. Import that root (no Internet here), then run this again.'
        NotSupportedFileFormat = "Windows finds no place for a signature in it. $again"
        Incompatible = 'its signature uses an algorithm that this server does not know. Have it ' +
        'signed with SHA-256, or update Windows.'
    }
    if ($words.ContainsKey($status)) {
        "${Path}: $($words[$status])"
    } elseif ($status -ne 'Valid') {
        "${Path}: the signature status is $status. $again"
    } elseif ($expected.Count -eq 0) {
        "$Path is signed by '$subject', expected is '$($Signer -join "' or '")'. $again"
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
    if (-not [System.IO.Directory]::Exists($Path)) {
        $null = [System.IO.Directory]::CreateDirectory($Path)
        $null = & $icacls $Path '/setowner' '*S-1-5-32-544'
    }
    Assert-NoProblem -Problems (Get-OwnerProblem -Path $Path)
    if (Test-OnlyOurs -Path $Path) { return }
    $rights = '*S-1-5-32-544:(OI)(CI)F', '*S-1-5-18:(OI)(CI)F'
    $null = & $icacls $Path '/inheritance:r' '/grant:r' $rights[0] $rights[1]
    if (-not (Test-OnlyOurs -Path $Path)) {
        Exit-Runbook -Code 2 -Message ("The rights of $Path could not be closed to others. " +
            'Take the other entries away by hand, then run this again.')
    }
    $found = [System.IO.Directory]::GetFileSystemEntries($Path)
    Assert-NoProblem -Problems @($found | ForEach-Object -Process { Get-OwnerProblem -Path $_ })
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
    $text = "$($Runbook.Id) $($Runbook.ContentHash)"
    Write-RunbookEvent -Status 'open' -Message $text -Data ([ordered] @{
            host = $env:COMPUTERNAME; operator = $Runbook.Operator; file = $PSCommandPath
            powershell = $Runbook.PowerShell; parameters = $Runbook.Given
        })
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
    $at = Get-LocalText -At $Found.End
    $ended = "The receipt of $($Need.Id) ended on $from at $at, which is"
    if (($from -eq $env:COMPUTERNAME -and $ahead.Ticks -gt 0) -or
        ($Need.ContainsKey('Hours') -and $ahead.TotalHours -gt 1)) {
        "$ended still to come: a clock was set back. Set the clocks right, delete " +
        "$($Found.Path), and run $($Need.Id) again."
    } elseif ($Need.ContainsKey('Hours') -and $ahead.TotalHours -lt - $Need.Hours) {
        "$ended more than $($Need.Hours) hours ago. Run $($Need.Id) again."
    }
}

function Get-ReceiptProblem ([hashtable] $Need) {
    # The receipt of the approved text, completed, not undone, from the order that was kept.
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
    if ((Get-Field -Object $receipt -Name 'hash') -ne $Need.Hash) {
        return "$($found.Path) is from another text of $id. Use the files of one package only."
    }
    $problem = Get-AgeProblem -Need $Need -Found $found
    if ($problem) { return $problem }
    foreach ($relied in @($receipt.relied)) {
        # A preflight that was only run again in time breaks no order.
        $earlier = Find-Receipt -Id $relied.id
        if ($earlier -and -not $relied.expires -and $earlier.Hash -ne $relied.hash) {
            return "$($relied.id) was run again after $id. Run $id again."
        }
    }
    $expires = $Need.ContainsKey('Hours')
    $Runbook.Relied += [ordered] @{ id = $id; hash = $found.Hash; expires = $expires }
    $state = @{}
    foreach ($one in @($receipt.steps)) { $state[$one.id] = ConvertTo-StepValue -Value $one.state }
    $Runbook.Past[$id] = @{ End = $found.End; State = $state }
    Write-RunbookEvent -Status 'receipt' -Message "relies on ${outcome}: $($found.Path)"
}

function Get-GateProblem {
    # Window and receipts. A predecessor that is missing or skipped is the fact 'unknown'.
    Get-WindowProblem
    foreach ($need in $Runbook.Needs) {
        $Runbook.Past[$need.Id] = 'unknown'
        $problem = Get-ReceiptProblem -Need $need
        $skipped = $Runbook.Given.SkipReceipt -contains $need.Id
        if ($problem -and $skipped) { $problem = Add-Override -Message $problem }
        $problem
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
    # our own until this run has ended. A voided one stays, so that it beats older copies.
    foreach ($id in $Ids) {
        $path = Join-Path -Path $Runbook.Folder -ChildPath "$id.receipt.json"
        if ($Runbook.Touched -or -not [System.IO.File]::Exists($path)) { continue }
        Save-Receipt -Receipt ([ordered] @{
                runbook = $id; change = $Runbook.Change; outcome = $Outcome; by = $Runbook.Id
            })
    }
}

function Write-RunbookReceipt ([string] $Outcome) {
    # A run that only found everything done leaves a completed receipt as it is, unless it is
    # one of checks that rely on nothing lasting: a preflight, whose receipt grows old.
    $relied = ConvertTo-RunbookJson -Value @($Runbook.Relied)
    $old = Find-Receipt -Id $Runbook.Id
    if ($old -and -not $Runbook.Touched -and
        (Get-Field -Object $old.Receipt -Name 'hash') -eq $Runbook.ContentHash) {
        $Runbook.Changed = $old.Receipt.changed
        $same = $relied -eq (ConvertTo-RunbookJson -Value @($old.Receipt.relied))
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

function Test-StepValueBetween ([object] $Before, [object] $Left, [object] $Present) {
    # Undo: as it was, as this change left it, or a list on the way from one to the other.
    $same = (Test-StepValue -Wanted $Before -Present $Present) -or
    (Test-StepValue -Wanted $Left -Present $Present)
    $single = $Present -is [string] -or $Left -is [System.Collections.IDictionary]
    if ($same -or $single) { return $same }
    $either = @($Before) + @($Left)
    $both = @($Before | Where-Object -FilterScript { @($Left) -contains $_ })
    $foreign = @($Present | Where-Object -FilterScript { $either -notcontains $_ })
    $lost = @($both | Where-Object -FilterScript { $Present -notcontains $_ })
    $foreign.Count + $lost.Count -eq 0
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
    Join-Path -Path $Runbook.Folder -ChildPath "$($Runbook.Records.Id).$($Step.Id).$Kind.json"
}

function Save-StepRecord ([hashtable] $Step, [string] $Kind, [string] $Proof) {
    # On disk before the change (before) and right after it (after).
    Write-RunbookFile -Path (Get-RecordPath -Step $Step -Kind $Kind) -Value ([ordered] @{
            runbook = $Runbook.Id; hash = $Runbook.ContentHash; at = Get-UtcText; proof = $Proof
            state = $Step.Present
        })
    $Step[$Kind] = Read-StepRecord -Step $Step -Kind $Kind
}

function Read-StepRecord ([hashtable] $Step, [string] $Kind) {
    # What an earlier run of the same text recorded, or nothing.
    $path = Get-RecordPath -Step $Step -Kind $Kind
    $record = Read-RunbookJson -Path $path
    if (-not $record) { return }
    if ($record.hash -ne $Runbook.Records.Hash) {
        Exit-Runbook -Code 2 -Message ("$path was written by another text of this runbook. " +
            'Run the undo of the old package first, then go on with this one.')
    }
    $state = ConvertTo-StepValue -Value $record.state
    $state.Proof = $record.proof
    $state
}

function Initialize-Step ([hashtable] $Step) {
    # Fills in what a step leaves out, and joins it with what earlier runs recorded.
    $defaults = @{
        Wanted = [ordered] @{}; Read = $null; Require = $null; Apply = $null; Ask = $null
        Otherwise = 'Run this again: it goes on from there.'; Diagnosis = @()
        TimeoutSeconds = 300 * [int] [bool] $Step['Apply']
        Relaxed = $false; Repeats = $false; Replicates = $false; Waits = $false; Kept = $false
        Before = $null; After = $null; Present = $null; Target = $null; Source = ''
        Todo = @(); Unproven = @()
    }
    if (-not $Step['Apply']) { $defaults.Otherwise = "Call $($Runbook.Help)." }
    foreach ($name in $defaults.Keys) {
        if (-not $Step.ContainsKey($name)) { $Step[$name] = $defaults[$name] }
    }
    foreach ($name in @($Step.Wanted.Keys)) {
        $wanted = ConvertTo-StepValue -Value $Step.Wanted[$name]
        if ($wanted -isnot [System.Collections.IDictionary]) { $Step.Wanted[$name] = $wanted }
    }
    if (-not $Step.Apply -or $Step.Repeats) { return }
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
    if ($Runbook.Undoes) {
        # Without a change of ours, whatever is there stays there.
        $held = -not $Step.Before -or ($Step.After -and $Step.After.Proof -eq 'held')
        $source = @($Step.Before, $Step.Present)[[int] $held]
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

function Get-UndoReason ([hashtable] $Step) {
    # Only what this change left, by value and by identity, may be taken back.
    $left = $Step.Wanted
    if ($Step.After) { $left = $Step.After }
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
        if (-not $proven -and $Step.Todo -contains $name) { $Step.Unproven += "$name $now" }
        if (-not $Step.After) { continue }
        $ours = @($Step.Before.Identity[$name]) + @($Step.After.Identity[$name])
        $foreign = @($Step.Present.Identity[$name] | Where-Object -FilterScript {
                $_ -and $ours -notcontains $_ })
        if ($foreign.Count -gt 0) {
            "$name $now is not what this change made: it has the identity " +
            "$(Format-StepValue -Value $foreign). Remove it by hand if it shall go, or $keep."
        }
    }
}

function Get-OrphanReason ([hashtable] $Step) {
    # Undo without records: what looks like ours is named and left alone, unless undo left it so.
    $own = Find-Receipt -Id $Runbook.Id
    $left = @{}
    if ($own -and $Runbook.Good -contains $own.Receipt.outcome) {
        $left = ConvertTo-StepValue -Value @($own.Receipt.steps)[$Step.Number - 1].state
    }
    $alike = @(foreach ($name in $Step.Wanted.Keys) {
            $wanted = $Step.Wanted[$name]
            $same = @($Step.Present[$name] | Where-Object -FilterScript { $_ -and (
                        $wanted -contains $_ -or (Test-StepValue -Wanted $wanted -Present $_)) })
            $known = (Test-Kept -Step $Step -Name $name) -or ($left.Contains($name) -and
                (Test-StepValue -Wanted $left[$name] -Present $Step.Present[$name]))
            if ($same.Count -gt 0 -and -not $known) { "$name is $(Format-StepValue -Value $same)" }
        })
    if ($alike.Count -gt 0) {
        "$($Step.Id): $($alike -join ', '), as $($Runbook.Undoes.Id) would leave it. There is no " +
        'record of it here, nothing was taken back. Find the records, or keep the whole step ' +
        "with -KeepPresent '$($Step.Id)' -Reason '...'."
    }
}

function Get-StepReason ([hashtable] $Step) {
    # Reads and judges a step; answers with the reasons to refuse, each with the step's id.
    Read-StepState -Step $Step
    if ($Step.Todo.Count -eq 0 -or ($Step.Waits -and -not $Runbook.Preview)) { return }
    $reasons = @(
        $before = $Step.Present
        if ($Step.Before) { $before = $Step.Before }
        if ($Runbook.Undoes) {
            $before = $Step.Target
            Get-UndoReason -Step $Step
        } else {
            Get-ForwardReason -Step $Step
        }
        if ($Step.Require) { & $Step.Require $before $Step.Present }
    )
    $reasons | Where-Object -FilterScript { $_ } | ForEach-Object -Process { "$($Step.Id): $_" }
}

# --- 6 Working a step: ask, judge again, record, apply, read until it holds, record --
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
    $words = "$Question $(@('No', 'Yes')[$answer]) ($by)."
    Write-StepEvent -Step $Step -Status 'answer' -Lines $words
    if ($answer -eq 0) {
        Exit-Runbook -Code 3 -Message ("Step $($Step.Number) was declined. Run this again when " +
            "it may go on; unattended, a hold point needs -Reason '...'.")
    }
}

function Wait-Step ([hashtable] $Step) {
    # Reads until the target holds or the time is over: replication takes its time. Rounds are
    # counted too, so that a clock that is set back meanwhile does not make it endless.
    $limit = (Get-Date).AddSeconds($Step.TimeoutSeconds)
    for ($waited = 0; $true; $waited += 5) {
        Read-StepState -Step $Step
        $over = $waited -ge $Step.TimeoutSeconds -or (Get-Date) -ge $limit
        if ($Step.Todo.Count -eq 0 -or $over -or $Runbook.Preview) { return }
        Start-Sleep -Seconds 5
    }
}

function Clear-UndoneRecord {
    # After-records first: a cut-off here leaves a state that any run can go on from.
    $stamp = (Get-UtcText) -replace '[:.]', ''
    foreach ($kind in 'After', 'Before') {
        foreach ($step in $Runbook.Steps) {
            $path = Get-RecordPath -Step $step -Kind $kind
            if (-not [System.IO.File]::Exists($path)) { continue }
            [System.IO.File]::Move($path, "$path.undone-$stamp")
        }
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
    if ($Runbook.Undoes -and -not $Step.Before) { $Result.outcome = 'nothing to undo' }
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
    # The life of a changing step, forward and undo alike.
    $Result.outcome = 'refused'
    $again = -not $Runbook.Preview -and ($Step.Waits -or $Runbook.Touched)
    if ($again -and $Step.Waits) {
        # Our own half-done work may still be on its way: never call it foreign.
        $text = "Begun by an earlier run: waiting up to $($Step.TimeoutSeconds) s for its result."
        Write-StepEvent -Step $Step -Status 'wait' -Lines $text
        Wait-Step -Step $Step
        $Step.Waits = $false
    }
    if ($again) { Assert-NoProblem -Problems (Get-StepReason -Step $Step) }
    if ($Step.Todo.Count -eq 0) { return Complete-HeldStep -Step $Step -Result $Result }
    $Result.outcome = @('declined', 'would change')[[int] $Runbook.Preview]
    $status = @('differs', 'whatif')[[int] $Runbook.Preview]
    Write-StepEvent -Step $Step -Status $status -Lines (Get-Difference -Step $Step)
    if ($Runbook.Preview) { return }
    Confirm-Question -Step $Step -Question "$($Step.Title)?"
    if ($Step.Unproven.Count -gt 0) {
        $text = "No record proves that this change made these: $($Step.Unproven -join '; ')."
        Confirm-Question -Step $Step -Question "$text Take them back?" -Hold
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
    if (-not ($Runbook.Undoes -or $Step.Repeats)) {
        Save-StepRecord -Step $Step -Kind 'After' -Proof 'changed'
    }
    $Result.outcome = 'changed'
    Write-StepEvent -Step $Step -Status 'done' -Lines 'Changed and read back.' -Data $Step.Present
}

function Invoke-RecordedApply ([hashtable] $Step) {
    # The before-values are on disk, and receipts that become untrue are void, before anything
    # changes. From here on nobody says that nothing was changed.
    if (-not ($Step.Before -or $Step.Repeats)) {
        Save-StepRecord -Step $Step -Kind 'Before' -Proof 'before'
    }
    $before = $Step.Before
    if ($Runbook.Undoes) { $before = $Step.Target }
    Clear-Receipt -Ids $Runbook.Voids -Outcome 'void'
    Clear-Receipt -Ids $Runbook.Id -Outcome 'interrupted'
    $Runbook.Touched += $Step.Number
    $Runbook.Changed = Get-UtcText
    Write-StepEvent -Step $Step -Status 'apply' -Lines $Step.Title -Data $Step.Present
    Invoke-Apply -Step $Step -Before $before
}

function Invoke-AskStep ([hashtable] $Step, [System.Collections.IDictionary] $Result) {
    # A hold point without a cmdlet, asked only when something behind it will change.
    $behind = @($Runbook.Steps | Where-Object -FilterScript {
            $_.Number -gt $Step.Number -and ($_.Todo.Count -gt 0 -or $_.Waits) })
    $Result.outcome = 'not needed'
    if ($behind.Count -eq 0) { return }
    $text = "$($Step.Ask) (To answer: $($Step.Who))"
    $Result.outcome = @('declined', 'would ask')[[int] $Runbook.Preview]
    if ($Runbook.Preview) { return Write-StepEvent -Step $Step -Status 'whatif' -Lines $text }
    Confirm-Question -Step $Step -Question $text -Hold
    $Result.outcome = 'answered'
}

# --- 7 Checks: values, or actions that say what they saw. Silence is no success ------
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
        $found.Problems = @("It could not be checked: $($_.Exception.Message)")
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
    Write-StepEvent -Step $Step -Status 'problem' -Lines $found.Problems
    $Result.outcome = @('passed', 'not passed')[[int] ($found.Problems.Count -gt 0)]
    if ($found.Problems.Count -gt 0) { Invoke-Diagnosis -Step $Step }
    $Step.Present = $found.Saw
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
    # Every changing step is read and judged; all refusals together, nothing changed yet.
    $reasons = @()
    $orphans = @()
    $Runbook.Steps | ForEach-Object -Process { Initialize-Step -Step $_ }
    foreach ($step in $Runbook.Steps | Where-Object -FilterScript { $_.Apply }) {
        try {
            $reasons += @(Get-StepReason -Step $step)
            if ($Runbook.Undoes -and -not $step.Before) {
                $orphans += @(Get-OrphanReason -Step $step)
            }
        } catch {
            if (-not $Runbook.Preview) { throw }
            $reasons += "$($step.Id): it could not be read: $($_.Exception.Message)"
        }
    }
    Assert-NoProblem -Problems $reasons
    Assert-NoProblem -Problems $orphans -Status 'problem' -Code 4
}

function Save-Configuration {
    # The present configuration, as the vendor exports it, before the first change of a run.
    $work = @($Runbook.Steps | Where-Object -FilterScript { $_.Todo.Count -gt 0 })
    if (-not $Runbook['Save'] -or $Runbook.Preview -or $work.Count -eq 0) { return }
    $name = "$($Runbook.Id).saved-$((Get-UtcText) -replace '[:.]', '')"
    $path = Join-Path -Path $Runbook.Folder -ChildPath $name
    $null = & $Runbook.Save $path
    Write-RunbookEvent -Status 'saved' -Message "$path.*"
}

function Invoke-RunbookStep {
    # The steps in order; the first refusal ends a change, but no check hides another.
    foreach ($step in $Runbook.Steps) {
        $result = [ordered] @{
            step = $step.Number; id = $step.Id; title = $step.Title; outcome = 'failed'
            state = $null
        }
        $Runbook.Results += , $result
        Write-StepEvent -Step $step -Status 'start' -Lines $step.Title
        if ($step.Ask) {
            Invoke-AskStep -Step $step -Result $result
        } elseif (-not $step.Apply) {
            Invoke-CheckStep -Step $step -Result $result
        } elseif ($step.Present) {
            Invoke-ChangeStep -Step $step -Result $result
        } else {
            $result.outcome = 'not read'
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

function Write-RunbookFailure ([System.Management.Automation.ErrorRecord] $Failure) {
    # One sentence for the operator; the place in the script is for the evidence only.
    $cause = $Failure.Exception.GetBaseException()
    if ($cause.Data.Contains('RunbookExitCode')) { $Runbook.Code = $cause.Data['RunbookExitCode'] }
    $last = @{ Message = $cause.Message; Data = $Failure.ScriptStackTrace }
    $last.Status = @('', 'failed', 'refused', 'declined', 'unproven')[$Runbook.Code]
    try { Write-RunbookEvent @last } catch { $Runbook.Code = 1 }
}

function Get-LastWord {
    # What was changed, in the words of the steps, and the next action, by exit code.
    $words = @(foreach ($number in $Runbook.Touched) {
            $result = $Runbook.Results[$number - 1]
            $begun = @('Begun, not finished', 'Changed')[[int] ($result.outcome -eq 'changed')]
            "${begun}: $($result.title)."
        })
    if (-not $words) { $words = @('Nothing was changed.') }
    if ($Runbook.Preview) { $words += 'A preview writes its evidence, and nothing else.' }
    $words -join ' '
    $next = @(
        $Runbook.Next, "read the line 'failed' above", 'wait until it may go on',
        "do what the lines 'refused' and 'closed' above say",
        "do what the lines 'problem' and 'unproven' above say")[@(0, 1, 3, 2, 4)[$Runbook.Code]]
    if ($Runbook.Code -gt 0) { $next += ", then run this file again. Help: $($Runbook.Help)." }
    if ($Runbook.Preview -and $Runbook.Code -eq 0) { $next = 'run this file without -WhatIf.' }
    "Next: $next"
}

function Complete-Runbook {
    # Receipt and last words. Exit code 2 promises that nothing was changed.
    if ($Runbook.Code -eq 2 -and $Runbook.Touched) { $Runbook.Code = 1 }
    $outcome = @('completed', 'failed', 'refused', 'declined', 'not verified')[$Runbook.Code]
    $kinds = @($Runbook.Results | ForEach-Object -Process { $_.outcome })
    if ($Runbook.Code -eq 0 -and $Runbook.Undoes -and -not ($kinds -ne 'nothing to undo')) {
        $outcome = 'nothing to undo'
    }
    $news = $Runbook.Code -eq 0 -or $Runbook.Touched -or $kinds -contains 'not passed'
    if ($news -and -not $Runbook.Preview) { Write-RunbookReceipt -Outcome $outcome }
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
        KeepPresent = @($KeepPresent -split '[, ]+' | Where-Object -FilterScript { $_ })
    }
    # Whose records are read: an undo reads those of the runbook that it takes back.
    Records = @(@($Runbook.Undoes; @{ Id = $Runbook.Id; Hash = $Runbook.ContentHash }) |
            Where-Object -FilterScript { $_ })[0]
    Good = 'completed', 'nothing to undo'
    Culture = [System.Globalization.CultureInfo]::InvariantCulture
    Latin = [System.Text.Encoding]::GetEncoding(28591)
    Utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    Run = [System.Guid]::NewGuid().ToString(); Code = 1; Start = ''; Changed = ''; Ended = $false
    Folder = ''; Lock = $null; Evidence = $null; EvidencePath = 'none'; EvidenceLength = 0
    Previous = ''; Closed = 0; Groups = @(); Operator = ''; PowerShell = ''; Past = @{}
    Touched = @(); Relied = @(); Overrides = @(); Results = @(); Faults = @()
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
    if (-not $Runbook.Ended) {
        Write-Host -Object ('Interrupted: what was begun may have changed something. Run this ' +
            'file again: it goes on where this run was cut off.')
        exit 1
    }
}
exit $Runbook.Code
