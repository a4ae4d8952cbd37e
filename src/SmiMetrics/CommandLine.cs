using System.CommandLine;
using System.CommandLine.Parsing;

namespace SmiMetrics;

/// <summary>What each command does; its result is the exit status.</summary>
internal sealed record Commands
{
    /// <summary>Runs the server until it ends.</summary>
    public Func<ServeOptions, CancellationToken, Task<int>> Serve { get; init; } = Unwanted;

    /// <summary>Looks once, and reports.</summary>
    public Func<ServeOptions, CancellationToken, Task<int>> Check { get; init; } = Unwanted;

    /// <summary>Runs the demo until it ends.</summary>
    public Func<DemoOptions, CancellationToken, Task<int>> Demo { get; init; } = Unwanted;

    private static Task<int> Unwanted<T>(T options, CancellationToken cancellationToken) => throw new InvalidOperationException($"nobody runs {options}");
}

/// <summary>
/// The command line: <c>smi-metrics [serve] FLAGS</c>, and the commands <c>check</c>, <c>meshes</c> and <c>demo</c>. Wrong flags and values are reported all at once, a line each, with exit status 2;
/// what goes wrong later is exit status 1.
/// </summary>
internal static class CommandLine
{
    public const int Success = 0;
    public const int RuntimeFailure = 1;
    public const int UsageError = 2;

    /// <summary>As shells have it after Ctrl-C: 128 and the number of SIGINT.</summary>
    public const int Interrupted = 130;

    /// <param name="commands">What is run once the flags have been read.</param>
    public static Task<int> RunAsync(
        IReadOnlyList<string> args,
        Func<string, string?> environment,
        Commands commands,
        TextWriter output,
        TextWriter error,
        CancellationToken cancellationToken)
    {
        Dictionary<Flag, Option<string[]>> options = ServeOptions.Flags.All.ToDictionary(flag => flag, flag => ToOption(flag));
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
                return ServeOptions.Read(flag => Given(parsed, options[flag]), environment, errors) is { } read ? await commands.Serve(read, cancellation) : Refuse(errors, error);
            });
        }

        Command checkCommand = new("check", """
            Look once at what the server would look at, and say which meshes there are, what is wrong and what to do.
            Exit status 0 only if a mesh was found and nothing is wrong, 1 if something is, 2 if it cannot be asked for like this.
            Flags, variables and file are those of serve; what only says how the API is served is taken, and does nothing.
            """);
        // The arguments of a Deployment can be had for a check as they are.
        Dictionary<Flag, Option<string[]>> checkOptions = ServeOptions.Flags.All.ToDictionary(flag => flag, flag => ToOption(flag, hidden: !ServeOptions.Flags.OfCheck.Contains(flag)));
        foreach (Option<string[]> option in checkOptions.Values)
        {
            checkCommand.Options.Add(option);
        }

        checkCommand.SetAction(async (parsed, cancellation) =>
        {
            List<string> errors = [];
            return ServeOptions.ReadForCheck(flag => Given(parsed, checkOptions[flag]), environment, errors) is { } read ? await commands.Check(read, cancellation) : Refuse(errors, error);
        });
        root.Subcommands.Add(checkCommand);

        Argument<string?> meshName = new("NAME") { Description = "print this mesh's descriptor, to begin one's own with", Arity = ArgumentArity.ZeroOrOne };
        Command meshesCommand = new("meshes", "List the meshes that there are descriptors of; with a name, print its descriptor.") { meshName };
        meshesCommand.Options.Add(options[ServeOptions.Flags.Config]);
        meshesCommand.Options.Add(options[ServeOptions.Flags.MeshConfig]);
        meshesCommand.SetAction(parsed =>
        {
            List<string> errors = [];
            IReadOnlyList<string> paths = ServeOptions.ReadMeshConfig(flag => Given(parsed, options[flag]), environment, errors);
            return errors.Count == 0 ? MeshesCommand.Run(parsed.GetValue(meshName), paths, output, error) : Refuse(errors, error);
        });
        root.Subcommands.Add(meshesCommand);

        Dictionary<Flag, Option<string[]>> demoOptions = DemoOptions.Flags.All.ToDictionary(flag => flag, flag => ToOption(flag));
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
            return DemoOptions.Read(flag => Given(parsed, demoOptions[flag]), errors) is { } read ? await commands.Demo(read, cancellation) : Refuse(errors, error);
        });
        root.Subcommands.Add(demoCommand);

        ParseResult parsed = root.Parse([.. args]);
        if (parsed.Errors.Count > 0)
        {
            // Flags that parse may be wrong too: the user should not have to mend one kind of mistake to hear of the other.
            List<string> errors = [.. parsed.Errors.Select(e => e.Message)];
            Command failed = parsed.CommandResult.Command;
            _ = failed == demoCommand ? DemoOptions.Read(flag => Given(parsed, demoOptions[flag]), errors)
                : failed == checkCommand ? ServeOptions.ReadForCheck(flag => Given(parsed, checkOptions[flag]), environment, errors)
                : failed == meshesCommand ? null
                : (object?)ServeOptions.Read(flag => Given(parsed, options[flag]), environment, errors);
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

    private static Option<string[]> ToOption(Flag flag, bool hidden = false)
    {
        string standard = flag.Default is null ? "" : $" [default: {flag.Default}]";
        Option<string[]> option = new(flag.Option)
        {
            Description = flag.Help + standard,
            HelpName = flag.Value,
            Hidden = hidden,
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
