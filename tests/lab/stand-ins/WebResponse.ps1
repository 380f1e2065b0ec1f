# The answer of a web server as Windows PowerShell 5.1 sees it. Loaded on the first request,
# because a class costs time to compile.
param ([object] $Answer)

class LabResponse : System.Net.WebResponse {
    [int] $StatusCode
    [byte[]] $Bytes
    [System.Net.WebHeaderCollection] $Lines = [System.Net.WebHeaderCollection]::new()

    [System.Net.WebHeaderCollection] get_Headers() {
        return $this.Lines
    }

    [System.IO.Stream] GetResponseStream() {
        return [System.IO.MemoryStream]::new($this.Bytes)
    }
}

$response = [LabResponse]::new()
$response.StatusCode = $Answer.status
$response.Bytes = [System.Text.Encoding]::UTF8.GetBytes([string] $Answer.body)
if ($Answer.headers) {
    foreach ($header in $Answer.headers.PSObject.Properties) {
        foreach ($value in @($header.Value)) {
            $response.Lines.Add($header.Name, $value)
        }
    }
}
$response
