# Completion of kubectl-login for PowerShell, 5.1 and newer.

Register-ArgumentCompleter -Native -CommandName 'kubectl-login', 'kubelogin' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What stands before the word, as it was meant. Nothing is expanded: a half-typed line must not run anything.
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
    if ($words.Count -eq 0) { return }
    $program = $words[0]
    $arguments = @($words | Select-Object -Skip 1) + @("$wordToComplete".Trim("'", '"'))

    # Until 7.3, PowerShell lost empty arguments on their way to a program.
    $losesEmpty = $PSVersionTable.PSVersion -lt [version]'7.3' -or "$PSNativeCommandArgumentPassing" -eq 'Legacy'
    if ($losesEmpty) { $arguments = @($arguments | ForEach-Object { if ($_ -eq '') { '""' } else { $_ } }) }

    $lines = @(& $program __complete @arguments 2>$null)
    if ($lines.Count -eq 0) { return }
    $directive = $lines[-1]
    # Paths: without an answer the shell offers its own.
    if ($directive -eq ':0' -or $directive -eq ':16') { return }
    # An empty answer keeps it from doing so.
    if ($lines.Count -eq 1) { return '' }

    # Behind --flag= come values, without the flag.
    $flag = if ("$wordToComplete" -match '^-[^=]*=') { $Matches[0] } else { '' }
    $lines | Select-Object -First ($lines.Count - 1) | ForEach-Object {
        $word, $description = $_ -split "`t", 2
        if (-not $description) { $description = $word }
        $written = if ($word -match "[\s'@#,{}]") { "'" + $word.Replace("'", "''") + "'" } else { $word }
        [System.Management.Automation.CompletionResult]::new("$flag$written", $word, 'ParameterValue', $description)
    }
}
