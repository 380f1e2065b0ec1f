# =====================================================================================
# Runbook 05-001 - Publish the Autodiscover address where it is blank
#
# Change   CHG0047110
# Run on   ham-ex-01.contoso.com   (Exchange Server 2019, Mailbox)
# Rights   Organization Management and local administrator
# Needs    receipt of 00-001
# Effect   Outlook in the domain learns the address from Active Directory, site by site
#          as it replicates; only blank addresses are filled in.
# Undo     undo/06-001-undo-exchange-prerequisites_HAM-EX-01.ps1
#
# Steps    1   The change may begin
#          2   Publish the Autodiscover address of each server
#          3   Every domain controller that HAM-EX-01 uses shows the addresses
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
    Id = '05-001-exchange-prerequisites_HAM-EX-01'
    Change = 'CHG0047110'
    Host = 'HAM-EX-01'
    Domain = 'corp.contoso.net'
    ContentHash = '742ed358062e48e82127109520d402b9ac24ec76bfdee0a2cae2860acb0bdab4'
    Signer = @(
        '3F2504E04F8911D39A0C0305E82C330115C85A7B')
    Window = '2027-05-08T20:00:00+02:00', '2027-05-09T06:00:00+02:00'
    Needs = @(
        @{ Id = '00-001-exchange-preflight_HAM-EX-01'
            Hours = 48 }
    )
    Serves = @()
    Undoes = ''
    Voids = @('06-001-undo-exchange-prerequisites_HAM-EX-01')
    Witness = $false
    Commands = @(
        'Connect-ExchangeServer', 'Get-ClientAccessService', 'Get-ExchangeServer',
        'Set-ClientAccessService')
    Members = @()
    Rights = 'Ask for Organization Management.'
    Next = '05-002-skype-prerequisites_HAM-FE-01.ps1 on HAM-FE-01'
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

# =====================================================================================
# Step 1 of 3 - The change may begin
#
# Why      From here on servers are changed.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 1
    Id = 'go'
    Title = 'The change may begin'
    Ask = 'Did the preflight of every server end with 0, and has the change manager decided that CHG0047110 begins now?'
    Who = 'who leads the change'
}

# =====================================================================================
# Step 2 of 3 - Publish the Autodiscover address of each server
#
# Why      Clients and Skype for Business find Exchange by it.
# Effect   Outlook in the domain learns the address as Active Directory replicates.
# Done     Each server publishes the address of the inventory.
# Undo     undo/06-001 puts back what each server published before.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 2
    Id = 'autodiscover-uri'
    Title = 'Publish the Autodiscover address of each server'
    Text = 'b72aee2b3179956d1573cfcf0b451c1da77cf5ea8755884f002047620fda6ca3'
    Wanted = [ordered] @{
        'HAM-EX-01' = 'https://autodiscover.contoso.com/autodiscover/autodiscover.xml'
        'HAM-EX-02' = 'https://autodiscover.contoso.com/autodiscover/autodiscover.xml'
        'SINGAPORE-EX-01' = 'https://autodiscover-asia.contoso.com/autodiscover/autodiscover.xml'
        'SINGAPORE-EX-02' = 'https://autodiscover-asia.contoso.com/autodiscover/autodiscover.xml'
    }
    Read = {
        param ($source)
        $source = 'ham-dc-01.corp.contoso.net'
        $at = @{ DomainController = $source; ErrorAction = 'Stop' }
        $state = [ordered] @{ Source = $source }
        foreach ($name in @($Step.Wanted.Keys)) {
            $server = Get-ClientAccessService -Identity $name @at
            $state[$name] = [string] $server.AutoDiscoverServiceInternalUri
        }
        $state
    }
    Require = {
        param ($before, $present)
        foreach ($name in @($Step.Wanted.Keys)) {
            $wanted = $Step.Wanted[$name]
            if ($present[$name] -and $present[$name] -ne $wanted) {
                "$name publishes '$($present[$name])', and only a blank address is filled in. If " +
                "it is right, give it to $name as autodiscover_uri in the inventory and " +
                'build again; if not, the Exchange team changes it in a change of its own.'
            }
        }
    }
    Apply = {
        param ($before, $present)
        $at = @{ DomainController = $present.Source; ErrorAction = 'Stop' }
        foreach ($name in @($Step.Wanted.Keys)) {
            if (-not $present[$name]) {
                $uri = $Step.Wanted[$name]
                Set-ClientAccessService -Identity $name -AutoDiscoverServiceInternalUri $uri @at
            }
        }
    }
}

# =====================================================================================
# Check 3 of 3 - Every domain controller that HAM-EX-01 uses shows the addresses
#
# Why      Clients ask the domain controllers of their site.
# Passed   Each shows what the step before left.
# =====================================================================================
$Runbook.Steps += , @{
    Number = 3
    Id = 'autodiscover-replicated'
    Title = 'Every domain controller that HAM-EX-01 uses shows the addresses'
    Follows = @('autodiscover-uri')
    TimeoutSeconds = 900
    Otherwise = 'Wait for Active Directory replication, then run this again.'
    Wanted = [ordered] @{
        behind = @()
    }
    Read = {
        param ($source, $past)
        $own = @{ Identity = 'HAM-EX-01'; Status = $true; ErrorAction = 'Stop' }
        $server = Get-ExchangeServer @own
        $controllers = @(@($server.CurrentDomainControllers) + @($server.CurrentGlobalCatalogs) +
            $server.CurrentConfigDomainController | Where-Object -FilterScript { $_ } |
                Sort-Object -Unique)
        if ($controllers.Count -eq 0) {
            throw 'Exchange names no domain controller. Run Get-ExchangeServer -Status by hand.'
        }
        $left = $past['05-001-exchange-prerequisites_HAM-EX-01'].State['autodiscover-uri']
        $state = [ordered] @{ behind = @() }
        foreach ($controller in $controllers) {
            foreach ($name in @($left.Keys | Where-Object -FilterScript {
                        ('Identity', 'Source') -notcontains $_ })) {
                $at = @{ Identity = $name; DomainController = $controller; ErrorAction = 'Stop' }
                $server = Get-ClientAccessService @at
                if ([string] $server.AutoDiscoverServiceInternalUri -ne [string] $left[$name]) {
                    $state.behind += "$controller for $name"
                }
            }
        }
        $state
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
