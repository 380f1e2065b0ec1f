# =====================================================================================
# Runbook 10-001 - Register Skype for Business as a partner application of Exchange
#
# Change   CHG0047110
# Run on   ham-ex-01.contoso.com   (Exchange Server 2019, Mailbox)
# Rights   Organization Management and local administrator
# Needs    receipts of 00-001 to 00-008, 05-001, 05-002
# Effect   None until a server reads it: at its IIS restart, else after about 15
#          minutes.
# Undo     undo/03-001-undo-exchange-partner-application_HAM-EX-01.ps1
#
# Steps    1   Register Skype for Business as a partner application
#
# Preview  powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File <this> -WhatIf
# Exit     0 done, 1 failed, 2 refused and nothing changed, 3 declined, 4 not verified
#
# From     inventory contoso, generated: an edited copy refuses to run.
# =====================================================================================

#Requires -Version 3.0
[CmdletBinding(SupportsShouldProcess = $true)]
param (
    [switch] $Unattended,
    [string] $ReceiptPath = '',
    [string[]] $SkipReceipt = @(),
    [string[]] $KeepPresent = @(),
    [string[]] $AcceptRisk = @(),
    [switch] $OutsideWindow,
    [string] $Reason = ''
)

if ([string] $ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Host -Object ('Constrained Language Mode: nothing was changed. Ask who manages ' +
        'AppLocker or WDAC to allow the signer of this file, then run it again.')
    exit 2
}

$Runbook = @{
    Id = '10-001-exchange-partner-application_HAM-EX-01'
    Change = 'CHG0047110'
    Host = 'HAM-EX-01'
    Domain = 'corp.contoso.net'
    ContentHash = '2dd96473ead463c2f225fcfa3a998e68725d069baaea7a8e22265bae2da34b95'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = '2027-05-08T20:00:00+02:00', '2027-05-09T06:00:00+02:00'
    Needs = @(
        @{ All = 'exchange-preflight'
            Hours = 48 }
        @{ All = 'skype-preflight'
            Hours = 48 }
        @{ Id = '05-001-exchange-prerequisites_HAM-EX-01'
            Hours = $null }
        @{ Id = '05-002-skype-prerequisites_HAM-FE-01'
            Hours = $null }
    )
    Serves = @()
    Undoes = ''
    Voids = @('03-001-undo-exchange-partner-application_HAM-EX-01')
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-AcceptedDomain', 'Get-ExchangeServer', 'Get-MailUser',
        'Get-ManagementRoleAssignment', 'Get-PartnerApplication', 'Get-User', 'New-MailUser',
        'New-ManagementRoleAssignment', 'New-PartnerApplication', 'Set-MailUser')
    Members = @()
    Rights = 'Ask for Organization Management; with split permissions also for the role Mail Recipient Creation.'
    Next = '20-001-exchange-restart_HAM-EX-01.ps1 on HAM-EX-01'
    Help = 'Exchange team, with the evidence file'
    Steps = @()
}

$Runbook.Product = {
    $key = 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup'
    $found = [string] (Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue |
            ForEach-Object -Process {
            '{0}.{1}.{2}' -f $_.MsiProductMajor, $_.MsiProductMinor, $_.MsiBuildMajor })
    if ($found -notlike '15.2.*' -or [int] $found.Split('.')[2] -ge 2562) {
        "The inventory says Exchange Server 2019 (15.2), found is '$found'. Run this on the " +
        'right server, or correct the version in the inventory and build again.'
    }
    $file = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\RemoteExchange.ps1'
    Get-SignerProblem -Path $file -Signer 'O=Microsoft Corporation'
}

$Runbook.Shell = {
    # In a management shell the commands are there already; the probe tells whether they answer.
    if (-not (Get-Command -Name 'Get-PartnerApplication' -ErrorAction SilentlyContinue)) {
        $file = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\RemoteExchange.ps1'
        Import-Module -Name $file -Force
        $here = 'ham-ex-01.contoso.com'
        Connect-ExchangeServer -ServerFqdn $here -ClientApplication 'ManagementShell'
    }
}

$Runbook.Probe = {
    Get-ExchangeServer -Identity 'HAM-EX-01' -ErrorAction Stop
}

$Runbook.Discard = {
    # IIS hosts the session: after its restart the commands would only seem to be there.
    foreach ($session in Get-PSSession | Where-Object -FilterScript {
            $_.ConfigurationName -eq 'Microsoft.Exchange' }) {
        Remove-PSSession -Session $session
    }
}

$Runbook.Save = {
    param ($path)
    $text = Get-PartnerApplication -ErrorAction Stop | Format-List -Property '*' | Out-String
    [System.IO.File]::WriteAllText("$path.txt", $text)
}

# =====================================================================================
# Step 1 of 1 - Register Skype for Business as a partner application
#
# Why      Exchange takes tokens only from registered partner applications.
# Effect   Microsoft's script makes the disabled account
#          LyncEnterprise-ApplicationAccount in Active Directory and gives it three
#          roles over all mailboxes (UserApplication, ArchiveApplication,
#          MeetingGraphApplication); the application acts through it.
# Done     One enabled application with our URL, a certificate, an account, three roles.
# Undo     undo/03-001 removes application, role assignments and account, as far as this
#          step made them; the account is deleted from Active Directory.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'partner-application'
    Title = 'Register Skype for Business as a partner application'
    Text = '475fc67b6b31a1fe33c610f9792510120161449489c4274b3829e3927f523de3'
    Relaxed = $true
    Wanted = [ordered] @{
        application = @{ Pattern = '^LyncEnterprise-[0-9a-f]{32}$'; Text = 'LyncEnterprise-<Guid>' }
        url = 'https://ham-pool-web.contoso.com/metadata/json/1'
        enabled = 'True'
        acceptsSid = 'True'
        certificate = 'present'
        account = @{ Pattern = '^LyncEnterprise-ApplicationAccount\d*$'; Text = 'its own account' }
        roles = 'ArchiveApplication', 'MeetingGraphApplication', 'UserApplication'
    }
    Read = {
        param ($source)
        $source = 'ham-dc-01.corp.contoso.net'
        $at = @{ DomainController = $source; ErrorAction = 'Stop' }
        $state = [ordered] @{
            application = @(); url = ''; enabled = ''; acceptsSid = ''; certificate = ''
            account = @(); roles = @(); Source = $source
            Identity = [ordered] @{ application = @(); account = @(); roles = @() }
        }
        # Listed and filtered: -Identity may answer with all. What uses the authorization server
        # is the online trust, not ours.
        $linked = @()
        foreach ($one in @(Get-PartnerApplication @at)) {
            if ($one.ApplicationIdentifier -eq '00000004-0000-0ff1-ce00-000000000000' -and
                [string] $one.UseAuthServer -ne 'True') {
                $state.application += $one.Name
                $state.Identity.application += [string] $one.Guid
                $state.url = $one.AuthMetadataUrl
                $state.enabled = $one.Enabled
                $state.acceptsSid = $one.AcceptSecurityIdentifierInformation
                $state.certificate = ''
                if (@($one.CertificateStrings)) {
                    $state.certificate = 'present'
                }
                $linked += ([string] $one.LinkedAccount -split '/')[-1]
            }
        }
        # The application's own account, or the one that Microsoft's script would take.
        $like = "Name -like 'LyncEnterprise-ApplicationAccount*'"
        foreach ($user in @(Get-User -Filter $like -ResultSize 'Unlimited' @at)) {
            if ($linked.Count -eq 0 -or $linked -contains $user.Name) {
                $state.account += $user.Name
                $state.Identity.account += [string] $user.Guid
                $direct = @{ RoleAssignee = $user.Name; AssignmentMethod = 'Direct' }
                $roles = @(Get-ManagementRoleAssignment @direct @at)
                $state.roles += @($roles | ForEach-Object -Process { [string] $_.Role })
                $state.Identity.roles += @($roles | ForEach-Object -Process { [string] $_.Guid })
            }
        }
        $state
    }
    Require = {
        param ($before)
        if ($before.application) {
            "$($before.application -join ' and ') has Skype's identifier already, made another " +
            'way, and nothing is adopted. What differs, and the command, says ' +
            '00-001-exchange-preflight_HAM-EX-01'
        }
        $script = Join-Path -Path $env:ExchangeInstallPath -ChildPath (
            'Scripts\Configure-EnterprisePartnerApplication.ps1')
        Get-SignerProblem -Path $script -Signer 'O=Microsoft Corporation'
    }
    Apply = {
        param ($before, $present)
        # Cut off right after it made the account, Microsoft's script would not hide it later.
        foreach ($one in $present.Identity.account) {
            if ($before.Identity.account -notcontains $one) {
                $at = @{ DomainController = $present.Source; ErrorAction = 'Stop' }
                Set-MailUser -Identity $one -HiddenFromAddressListsEnabled $true @at
            }
        }
        $script = Join-Path -Path $env:ExchangeInstallPath -ChildPath (
            'Scripts\Configure-EnterprisePartnerApplication.ps1')
        $lync = @{ ApplicationType = 'Lync'; DomainController = $present.Source }
        $global:LASTEXITCODE = 0
        & $script -AuthMetadataUrl 'https://ham-pool-web.contoso.com/metadata/json/1' @lync
        # When Microsoft's script fails it says 'exit 1', and nothing else.
        if ($LASTEXITCODE -ne 0) {
            throw "Configure-EnterprisePartnerApplication.ps1 ended with $LASTEXITCODE."
        }
    }
}

# =====================================================================================
# Engine, part signer - the same text in every runbook that judges a signature
# =====================================================================================

function Get-SignerProblem ([string] $Path, [string[]] $Signer, [switch] $Own) {
    # One sentence when a file is not as one of its signers (thumbprint, part of subject) left it.
    $again = 'Restore it from the installation media of this build.'
    if ($Own) { $again = 'Fetch the approved file again.' }
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

# Here stands engine.ps1, the same in every script.
