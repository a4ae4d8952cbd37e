using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace SmiMetrics;

/// <summary>
/// Log lines for people: time, level, what happened. What an exception says follows on the same line, its stack only with errors, which
/// are what somebody has to debug.
/// </summary>
internal sealed class LogLines(TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "lines";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        textWriter.Write(clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z' ", CultureInfo.InvariantCulture));
        textWriter.Write(logEntry.LogLevel switch
        {
            LogLevel.Trace => "trace ",
            LogLevel.Debug => "debug ",
            LogLevel.Information => "info  ",
            LogLevel.Warning => "warn  ",
            _ => "error ",
        });
        string line = OneLine(logEntry.Formatter(logEntry.State, logEntry.Exception));
        for (Exception? e = logEntry.Exception; e is not null; e = e.InnerException)
        {
            // Exceptions often quote the one inside, or say only that there is one.
            string message = OneLine(e.Message.Replace(", see inner exception.", "", StringComparison.Ordinal));
            line = line.Contains(message, StringComparison.Ordinal) ? line : $"{line}: {message}";
        }

        textWriter.WriteLine(line);
        if (logEntry is { LogLevel: >= LogLevel.Error, Exception: { } unforeseen })
        {
            textWriter.WriteLine(unforeseen.ToString());
        }
    }

    // What comes from outside must not forge a line.
    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
