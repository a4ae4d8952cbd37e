using System.CommandLine;
using System.CommandLine.Parsing;

namespace SmiMetrics;

/// <summary>
/// The command line: <c>smi-metrics [serve] FLAGS</c> and <c>smi-metrics demo FLAGS</c>. Wrong flags and values are reported all at once, a line each, with exit status 2;
/// what goes wrong later is exit status 1.
/// </summary>
internal static class CommandLine
{
    public const int Success = 0;
    public const int RuntimeFailure = 1;
    public const int UsageError = 2;

    /// <param name="serve">Runs the server until it ends; its result is the exit status.</param>
    /// <param name="demo">Runs the demo until it ends, likewise.</param>
    public static Task<int> RunAsync(
        IReadOnlyList<string> args,
        Func<string, string?> environment,
        Func<ServeOptions, CancellationToken, Task<int>> serve,
        Func<DemoOptions, CancellationToken, Task<int>> demo,
        TextWriter output,
        TextWriter error,
        CancellationToken cancellationToken)
    {
        Dictionary<Flag, Option<string[]>> options = ServeOptions.Flags.All.ToDictionary(flag => flag, ToOption);
        RootCommand root = new("""
            Golden metrics of any service mesh as a Kubernetes API, metrics.smi-spec.io.
            Every flag is also an environment variable (--mesh is SMI_METRICS_MESH) and a key of the --config file (mesh).
            """)
        {
            new Command("serve", "Serve the API (what happens without a command, too)."),
        };
        foreach (Command command in root.Subcommands.Append(root))
        {
            foreach (Option<string[]> option in options.Values)
            {
                command.Options.Add(option);
            }

            command.SetAction(async (parsed, cancellation) =>
            {
                List<string> errors = [];
                return ServeOptions.Read(flag => Given(parsed, options[flag]), environment, errors) is { } read ? await serve(read, cancellation) : Refuse(errors, error);
            });
        }

        Dictionary<Flag, Option<string[]>> demoOptions = DemoOptions.Flags.All.ToDictionary(flag => flag, ToOption);
        Command demoCommand = new("demo", """
            Show everything on this machine: the server before a simulated cluster and mesh, with live numbers and commands to try.
            Needs neither Kubernetes nor Prometheus, and reads no environment variables.
            """);
        foreach (Option<string[]> option in demoOptions.Values)
        {
            demoCommand.Options.Add(option);
        }

        demoCommand.SetAction(async (parsed, cancellation) =>
        {
            List<string> errors = [];
            return DemoOptions.Read(flag => Given(parsed, demoOptions[flag]), errors) is { } read ? await demo(read, cancellation) : Refuse(errors, error);
        });
        root.Subcommands.Add(demoCommand);

        ParseResult parsed = root.Parse([.. args]);
        if (parsed.Errors.Count > 0)
        {
            // Flags that parse may be wrong too: the user should not have to mend one kind of mistake to hear of the other.
            List<string> errors = [.. parsed.Errors.Select(e => e.Message)];
            _ = parsed.CommandResult.Command == demoCommand
                ? DemoOptions.Read(flag => Given(parsed, demoOptions[flag]), errors) as object
                : ServeOptions.Read(flag => Given(parsed, options[flag]), environment, errors);
            return Task.FromResult(Refuse(errors, error));
        }

        // The host ends the server on Ctrl-C and SIGTERM, and drains it first.
        InvocationConfiguration invocation = new() { Output = output, Error = error, ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false };
        return parsed.InvokeAsync(invocation, cancellationToken);
    }

    /// <summary>The values that parse.</summary>
    private static string[] Given(ParseResult parsed, Option<string[]> option) =>
        parsed.GetResult(option) is { Implicit: false, Errors: var wrong } given && !wrong.Any() ? given.GetValueOrDefault<string[]>() ?? [] : [];

    private static int Refuse(List<string> errors, TextWriter error)
    {
        foreach (string line in errors)
        {
            error.WriteLine($"smi-metrics: {line}");
        }

        return UsageError;
    }

    private static Option<string[]> ToOption(Flag flag)
    {
        string standard = flag.Default is null ? "" : $" [default: {flag.Default}]";
        Option<string[]> option = new(flag.Option)
        {
            Description = flag.Help + standard,
            HelpName = flag.Value,
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = false,
        };
        if (!flag.Repeatable)
        {
            option.Validators.Add(result =>
            {
                if (result.Tokens.Count > 1)
                {
                    result.AddError($"{flag.Option}: given more than once");
                }
            });
        }

        return option;
    }
}
