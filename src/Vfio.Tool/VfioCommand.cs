using System.CommandLine;
using System.CommandLine.Invocation;
using Vfio.Simulation;
using Vfio.Tool.Commands;
using Vfio.Tool.Output;

namespace Vfio.Tool;

/// <summary>The <c>vfio</c> command: parses, runs, and turns what happened into an exit code and at most one line on stderr.</summary>
internal static class VfioCommand
{
    /// <summary>Runs the command.</summary>
    /// <param name="args">Its arguments.</param>
    /// <param name="output">What was asked for.</param>
    /// <param name="error">Diagnostics.</param>
    /// <param name="isTerminal">Whether the output is one.</param>
    /// <param name="cancellationToken">Set by an interrupt.</param>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, TextWriter output, TextWriter error, bool isTerminal, CancellationToken cancellationToken)
    {
        var invocation = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        var parsed = Build(new(output, error, isTerminal)).Parse(args);
        if (parsed.Action is ParseErrorAction wrong)
        {
            // Short, and nothing of it on stdout; help is for those who ask, or who typed nothing at all.
            wrong.ShowHelp = args.Count == 0;
            if (!wrong.ShowHelp)
                invocation.Output = error;
            await parsed.InvokeAsync(invocation, cancellationToken).ConfigureAwait(false);
            return ExitCode.BadArguments;
        }

        try
        {
            return await parsed.InvokeAsync(invocation, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
        catch (UsageException e)
        {
            await error.WriteLineAsync($"vfio: {e.Message}").ConfigureAwait(false);
            return ExitCode.BadArguments;
        }
        catch (Exception e) when (e is VfioException or TopologyException or IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync($"vfio: {e.Message}").ConfigureAwait(false);
            return ExitCode.Failed;
        }
        catch (Exception e)
        {
            // A fault of our own: all that a bug report needs.
            await error.WriteLineAsync($"vfio: this is a bug, please report it: {e}").ConfigureAwait(false);
            return ExitCode.Failed;
        }
    }

    private static RootCommand Build(Terminal terminal)
    {
        var options = new GlobalOptions();
        var root = new RootCommand("Device assignment in user space: lists, inspects and serves PCI functions as VFIO devices.");
        options.AddTo(root);
        root.Add(ListCommand.Create(options, terminal));
        root.Add(ExplainCommand.Create(options, terminal));
        root.Add(PluginsCommand.Create(options, terminal));
        root.Add(ShowCommand.Create(options, terminal));
        root.Add(ServeCommand.Create(options, terminal));
        root.Add(MigrateCommand.Create(options, terminal));
        root.Add(RestoreCommand.Create(options, terminal));
        root.Add(TopologyCommand.Create(terminal));
        root.Add(DemoCommand.Create(options, terminal));
        return root;
    }
}

/// <summary>The arguments contradict each other; what the parser could not see.</summary>
internal sealed class UsageException(string message) : Exception(message);
