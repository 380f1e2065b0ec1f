# The host of a script in a serving process (serve.ps1): what the script shows or asks becomes an
# event, in the words that a process of its own would write on its standard output and error.
#
# The methods run on the thread of the script, in its runspace, under its preferences. They call
# .NET only: the script or a stand-in may have replaced any command. In Constrained Language Mode
# they could not: a script in that mode needs a process of its own.

using namespace System.Collections.Generic
using namespace System.Collections.ObjectModel
using namespace System.Linq.Expressions
using namespace System.Management.Automation
using namespace System.Management.Automation.Host
using namespace System.Text.Json

[NoRunspaceAffinity()]
class EventLine {
    # Both ends of the process, and the form of the lines on them (serving.py describes it).
    hidden [System.IO.TextReader] $In
    hidden [System.IO.TextWriter] $Out

    EventLine() {
        # Not [Console]::In and Out: a script can replace them.
        $utf8 = [System.Text.UTF8Encoding]::new($false)
        $this.In = [System.IO.StreamReader]::new([Console]::OpenStandardInput(), $utf8)
        $writer = [System.IO.StreamWriter]::new([Console]::OpenStandardOutput(), $utf8)
        $writer.AutoFlush = $true
        $this.Out = [System.IO.TextWriter]::Synchronized($writer)
    }

    [void] Send([string] $kind, [string] $members) {
        # The mark in front tells an event from what a program writes to the same output.
        $this.Out.Write("`u{1e}{`"event`":`"$kind`"$members}`n")
    }

    [object] Read() { return $this.In.ReadLine() }

    [object] Ask([string] $kind, [string] $members) {
        # The answer is a line of JSON: a text, or null where the input has ended. The type is
        # [object] because [string] would make an empty text of null.
        $this.Send('question', ",`"kind`":`"$kind`"$members")
        $answer = $this.Read()
        if ($null -eq $answer) { return $null }
        return [JsonDocument]::Parse($answer).RootElement.GetString()
    }

    static [string] Text([string] $value) {
        # A JSON text of 7-bit ASCII. Half a surrogate pair becomes U+FFFD, as on any output.
        $utf8 = [System.Text.Encoding]::UTF8
        $whole = $utf8.GetString($utf8.GetBytes($value))
        return '"' + [JsonEncodedText]::Encode($whole).ToString() + '"'
    }
}

[NoRunspaceAffinity()]
class Screen : PSHostRawUserInterface {
    # A screen of fixed size: what is shown is read by programs, not drawn.
    [ConsoleColor] get_ForegroundColor() { return [ConsoleColor]::Gray }
    [void] set_ForegroundColor([ConsoleColor] $value) { }
    [ConsoleColor] get_BackgroundColor() { return [ConsoleColor]::Black }
    [void] set_BackgroundColor([ConsoleColor] $value) { }
    [Size] get_BufferSize() { return [Size]::new(80, 3000) }
    [void] set_BufferSize([Size] $value) { }
    [Size] get_WindowSize() { return [Size]::new(80, 50) }
    [void] set_WindowSize([Size] $value) { }
    [Size] get_MaxWindowSize() { return [Size]::new(80, 50) }
    [Size] get_MaxPhysicalWindowSize() { return [Size]::new(80, 50) }
    [Coordinates] get_CursorPosition() { return [Coordinates]::new(0, 0) }
    [void] set_CursorPosition([Coordinates] $value) { }
    [Coordinates] get_WindowPosition() { return [Coordinates]::new(0, 0) }
    [void] set_WindowPosition([Coordinates] $value) { }
    [int] get_CursorSize() { return 25 }
    [void] set_CursorSize([int] $value) { }
    [string] get_WindowTitle() { return 'PowerShell' }
    [void] set_WindowTitle([string] $value) { }
    [bool] get_KeyAvailable() { return $false }
    [void] FlushInputBuffer() { }
    [void] SetBufferContents([Rectangle] $rectangle, [BufferCell] $fill) { }
    [KeyInfo] ReadKey([ReadKeyOptions] $options) { throw [Screen]::NoBuffer() }
    [BufferCell[, ]] GetBufferContents([Rectangle] $rectangle) { throw [Screen]::NoBuffer() }
    [void] SetBufferContents([Coordinates] $origin, [BufferCell[, ]] $contents) {
        throw [Screen]::NoBuffer()
    }
    [void] ScrollBufferContents(
        [Rectangle] $source, [Coordinates] $destination, [Rectangle] $clip, [BufferCell] $fill) {
        throw [Screen]::NoBuffer()
    }

    static [System.NotSupportedException] NoBuffer() {
        return [System.NotSupportedException]::new('This host has no screen buffer.')
    }
}

[NoRunspaceAffinity()]
class Interface : PSHostUserInterface {
    hidden static [string] $NoPrompt = 'PowerShell is in NonInteractive mode. ' +
    'Read and Prompt functionality is not available.'
    [EventLine] $Line
    [bool] $Interactive
    [Screen] $Raw = [Screen]::new()

    [PSHostRawUserInterface] get_RawUI() { return $this.Raw }
    [bool] get_SupportsVirtualTerminal() { return $false }

    [void] Show([string] $stream, [string] $text) {
        $plain = [EventLine]::Text([PSHostUserInterface]::GetOutputString($text, $false))
        $this.Line.Send('shown', ",`"stream`":`"$stream`",`"text`":$plain")
    }

    [void] Write([string] $value) { $this.Show('output', $value) }
    [void] Write([ConsoleColor] $foreground, [ConsoleColor] $background, [string] $value) {
        $this.Show('output', $value)
    }
    [void] WriteLine([string] $value) { $this.Show('output', "$value`n") }
    [void] WriteErrorLine([string] $value) {
        $plain = [PSHostUserInterface]::GetOutputString($value, $false)
        $this.Show('error', $plain.TrimEnd() + "`n")
    }
    [void] WriteDebugLine([string] $message) { $this.WriteLine("DEBUG: $message") }
    [void] WriteVerboseLine([string] $message) { $this.WriteLine("VERBOSE: $message") }
    [void] WriteWarningLine([string] $message) { $this.WriteLine("WARNING: $message") }
    [void] WriteProgress([long] $source, [ProgressRecord] $record) {
        # Output that is no terminal shows no progress: an event apart from what is shown.
        $words = "$($record.Activity): $($record.StatusDescription)"
        $this.Line.Send('progress', ',"text":' + [EventLine]::Text($words))
    }

    [string] ReadLine() { return $this.Type('line') }

    [string] Type([string] $kind) {
        # A line that somebody types, for a command such as Read-Host.
        if (-not $this.Interactive) {
            # Not `throw`: that would be an error of this module and end a script, which goes on
            # after an error of the command.
            $problem = [Expression]::Constant([MethodException]::new([Interface]::NoPrompt))
            [Expression]::Lambda([action], [Expression]::Throw($problem)).Compile().Invoke()
        }
        $answer = $this.Line.Ask($kind, '')
        if ($null -eq $answer) { return [NullString]::Value }
        return $answer
    }

    [securestring] ReadLineAsSecureString() {
        $secret = [securestring]::new()
        foreach ($character in ([string] $this.Type('secret')).ToCharArray()) {
            $secret.AppendChar($character)
        }
        $secret.MakeReadOnly()
        return $secret
    }

    [Dictionary[string, PSObject]] Prompt(
        [string] $caption, [string] $message, [Collection[FieldDescription]] $descriptions) {
        $this.Announce($caption, $message)
        $answers = [Dictionary[string, PSObject]]::new()
        foreach ($field in $descriptions) {
            $this.Write("$($field.Name): ")
            $answers[$field.Name] = [psobject]::AsPSObject([string] $this.ReadLine())
        }
        return $answers
    }

    [int] PromptForChoice(
        [string] $caption, [string] $message, [Collection[ChoiceDescription]] $choices,
        [int] $default) {
        $labels = @(foreach ($choice in $choices) { $choice.Label.Replace('&', '') })
        $keys = @(foreach ($choice in $choices) { [Interface]::Key($choice.Label) })
        $all = 0..($labels.Count - 1)
        $row = @(foreach ($at in $all) { "[$($keys[$at])] $($labels[$at])" }) -join '  '
        if ($default -ge 0) { $row += " (default is `"$($keys[$default])`")" }
        $texts = @(foreach ($label in $labels) { [EventLine]::Text($label) }) -join ','
        $members = ',"caption":' + [EventLine]::Text($caption)
        $members += ',"message":' + [EventLine]::Text($message)
        $members += ",`"choices`":[$texts],`"default`":$default"
        if (-not $this.Interactive) {
            throw [PSInvalidOperationException]::new([Interface]::NoPrompt)
        }
        $this.Announce($caption, $message)
        while ($true) {
            $this.Write("${row}: ")
            $answer = $this.Line.Ask('choice', $members)
            if ($null -eq $answer) {
                throw [PSInvalidOperationException]::new(
                    'The input ended before a choice was made.')
            }
            $answer = $answer.Trim()
            if (-not $answer -and $default -ge 0) { return $default }
            foreach ($at in $all) {
                if ($answer -eq $keys[$at] -or $answer -eq $labels[$at]) { return $at }
            }
        }
        return $default
    }

    [PSCredential] PromptForCredential(
        [string] $caption, [string] $message, [string] $user, [string] $target) {
        throw [System.NotSupportedException]::new('This host does not ask for credentials.')
    }

    [PSCredential] PromptForCredential(
        [string] $caption, [string] $message, [string] $user, [string] $target,
        [PSCredentialTypes] $types, [PSCredentialUIOptions] $options) {
        return $this.PromptForCredential($caption, $message, $user, $target)
    }

    [void] Announce([string] $caption, [string] $message) {
        if ($caption) { $this.WriteLine($caption) }
        if ($message) { $this.WriteLine($message) }
    }

    static [string] Key([string] $label) {
        # The letter behind the ampersand.
        $mark = $label.IndexOf('&')
        if ($mark -lt 0 -or $mark + 1 -eq $label.Length) { return $label }
        return $label.Substring($mark + 1, 1).ToUpperInvariant()
    }
}

[NoRunspaceAffinity()]
class JobHost : PSHost {
    [Interface] $Interface = [Interface]::new()
    [guid] $Id = [guid]::NewGuid()
    [int] $ExitCode = -1

    [string] get_Name() { return 'ConsoleHost' }
    [version] get_Version() { return [PSHost].Assembly.GetName().Version }
    [guid] get_InstanceId() { return $this.Id }
    [PSHostUserInterface] get_UI() { return $this.Interface }
    [cultureinfo] get_CurrentCulture() { return [cultureinfo]::CurrentCulture }
    [cultureinfo] get_CurrentUICulture() { return [cultureinfo]::CurrentUICulture }
    [void] SetShouldExit([int] $code) { $this.ExitCode = $code }
    [void] EnterNestedPrompt() { throw [JobHost]::NoNested() }
    [void] ExitNestedPrompt() { throw [JobHost]::NoNested() }
    [void] NotifyBeginApplication() { }
    [void] NotifyEndApplication() { }

    static [System.NotSupportedException] NoNested() {
        return [System.NotSupportedException]::new('This host has no nested prompt.')
    }
}

function New-EventLine {
    [EventLine]::new()
}

function New-JobHost ([EventLine] $Line, [bool] $Interactive) {
    $made = [JobHost]::new()
    $made.Interface.Line = $Line
    $made.Interface.Interactive = $Interactive
    $made
}

Export-ModuleMember -Function 'New-EventLine', 'New-JobHost'
