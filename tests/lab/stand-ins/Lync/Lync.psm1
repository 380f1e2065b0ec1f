# Lync Server 2013: the same commands in a module of another name, without those that came later.
Import-Module -Name "$PSScriptRoot/../SkypeForBusiness/SkypeForBusiness.psm1"
$script:Commands = @(Get-Command -Module 'SkypeForBusiness' | ForEach-Object -Process { $_.Name } |
        Where-Object -FilterScript { $_ -ne 'Debug-CsStorageServiceFailures' })
Export-ModuleMember -Function $script:Commands
