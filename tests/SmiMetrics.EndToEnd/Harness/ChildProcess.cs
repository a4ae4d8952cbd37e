using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// A server program run for the tests. It is ended by its process id, and by the kernel if the test run dies first:
/// <c>setpriv --pdeathsig</c> arranges that. A shell that runs the tests in the background has them ignore Ctrl-C, and whatever they start:
/// <c>env --default-signal</c> undoes that.
/// </summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int RememberedLines = 60;
    private const int SigInt = 2;
    private const int SigTerm = 15;
    // The kernel sends the signal when the *thread* that started the child ends, and pool threads come and go: one thread starts all.
    private static readonly BlockingCollection<Action> Starts = StartingThread();

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly ConcurrentQueue<string> _firstLines = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private ChildProcess(string name, Process process)
    {
        Name = name;
        _process = process;
    }

    public string Name { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>The first lines of its standard output.</summary>
    public IReadOnlyList<string> FirstLines => [.. _firstLines];

    /// <summary>The first lines of its standard error.</summary>
    public IReadOnlyList<string> Errors => [.. _errors];

    /// <summary>The last lines that the program wrote, for the message of a failed test.</summary>
    public string Tail =>
        $"--- {Name} {(HasExited ? $"(ended with status {_process.ExitCode})" : "(running)")}, last lines:\n{string.Join('\n', _lines)}\n---";

    public static ChildProcess Start(string name, string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new("setpriv") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in (string[])["--pdeathsig", "KILL", "--", "env", "--default-signal=INT", program, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string variable, string value) in environment)
        {
            start.Environment[variable] = value;
        }

        ChildProcess child = new(name, new Process { StartInfo = start });
        child._process.OutputDataReceived += (_, line) => child.Remember(line.Data, child._firstLines);
        child._process.ErrorDataReceived += (_, line) => child.Remember(line.Data, child._errors);
        TaskCompletionSource started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Starts.Add(() =>
        {
            try
            {
                child._process.Start();
                started.SetResult();
            }
            catch (Win32Exception problem)
            {
                started.SetException(problem);
            }
        });
        started.Task.GetAwaiter().GetResult();
        child._process.StandardInput.Close();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Asks the program to end, waits, and kills it if it does not.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => EndAsync(SigTerm, cancellationToken);

    /// <summary>The same, as Ctrl-C does it.</summary>
    public Task InterruptAsync(CancellationToken cancellationToken) => EndAsync(SigInt, cancellationToken);

    private async Task EndAsync(int signal, CancellationToken cancellationToken)
    {
        if (!HasExited)
        {
            _ = Kill(Id, signal);
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience.Limit);
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                await KillAsync(cancellationToken);
            }
        }
    }

    /// <summary>Asks the program to end, and waits for nothing.</summary>
    public void Terminate() => _ = Kill(Id, SigTerm);

    /// <summary>Waits until the program has ended by itself.</summary>
    public Task EndedAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    /// <summary>Ends the program at once, as a crash would.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        if (!HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync(CancellationToken.None);
        _process.Dispose();
    }

    private void Remember(string? line, ConcurrentQueue<string> first)
    {
        if (line is null)
        {
            return;
        }

        if (first.Count < RememberedLines)
        {
            first.Enqueue(line);
        }

        _lines.Enqueue(line);
        while (_lines.Count > RememberedLines)
        {
            _lines.TryDequeue(out _);
        }
    }

    private static BlockingCollection<Action> StartingThread()
    {
        BlockingCollection<Action> starts = [];
        new Thread(() =>
        {
            foreach (Action start in starts.GetConsumingEnumerable())
            {
                start();
            }
        })
        { IsBackground = true, Name = "starts child processes" }.Start();
        return starts;
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int processId, int signal);
}
