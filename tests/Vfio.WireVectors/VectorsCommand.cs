using System.CommandLine;
using System.CommandLine.Invocation;
using Vfio.WireVectors.Loading;
using Vfio.WireVectors.Model;
using Vfio.WireVectors.Output;
using Vfio.WireVectors.Running;
using Vfio.WireVectors.Setups;

namespace Vfio.WireVectors;

/// <summary>The command line.</summary>
internal static class VectorsCommand
{
    public const int Good = 0, Bad = 1, WrongArguments = 2, Interrupted = 130;

    private static readonly Argument<string[]> FilesArgument = new("files")
    {
        Description = "Vector files; those that come with the program by default.",
        Arity = ArgumentArity.ZeroOrMore,
        HelpName = "FILE.json",
    };

    private static readonly Option<string> SocketOption = new("--socket")
    {
        Description = "A server that listens here already; --setup says which device it serves.",
        HelpName = "PATH",
    };

    private static readonly Option<string> ServeWithOption = new("--serve-with")
    {
        Description = "Starts a server for each set-up by this command, with {setup} and {socket} put in. Without this and --socket: our own.",
        HelpName = "COMMAND",
    };

    private static readonly Option<string[]> SetupOption = Repeatable("--setup", "NAME", "Only vectors of this set-up. Repeatable.");
    private static readonly Option<string[]> VectorOption = Repeatable("--vector", "TEXT", "Only vectors whose name or test has this in it. Repeatable.");

    private static readonly Option<string> PeerOption = new("--peer")
    {
        Description = "Whose recorded answers are expected where they are not those of record.",
        HelpName = "NAME",
    };

    private static readonly Option<bool> JsonOption = new("--json") { Description = "One JSON object instead of lines." };
    private static readonly Option<bool> VerboseOption = new("--verbose", "-v") { Description = "A line for every vector." };
    private static readonly Argument<string> ServedSetupArgument = new("setup") { Description = "Which device.", HelpName = "SETUP" };
    private static readonly Argument<string> ServedSocketArgument = new("socket") { Description = "Where.", HelpName = "PATH" };

    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        PeerOption.AcceptOnlyFromAmong([.. RequestReader.Peers]);
        var serve = new Command("serve", "Serves a set-up with our own server, until it is interrupted.") { ServedSetupArgument, ServedSocketArgument };
        var root = new RootCommand("Holds a vfio-user server against the exchanges of libvfio-user's own tests.")
        {
            FilesArgument, SocketOption, ServeWithOption, SetupOption, VectorOption, PeerOption, JsonOption, VerboseOption, serve,
        };
        root.SetAction((parsed, stopping) => RunAsync(parsed, output, error, stopping));
        serve.SetAction((parsed, stopping) => ServeAsync(parsed, error, stopping));
        var parsed = root.Parse(args);
        var configuration = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false };
        if (parsed.Action is not ParseErrorAction)
            return await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
        configuration.Output = error;
        await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
        return WrongArguments;
    }

    /// <summary>The files that come with the program.</summary>
    public static string[] OwnFiles()
        => [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Vectors"), "*.json").Order(StringComparer.Ordinal)];

    private static async Task<int> RunAsync(ParseResult parsed, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var files = parsed.GetValue(FilesArgument) is { Length: > 0 } given ? given : OwnFiles();
        var (setups, texts) = (parsed.GetValue(SetupOption) ?? [], parsed.GetValue(VectorOption) ?? []);
        var (socket, command) = (parsed.GetValue(SocketOption), parsed.GetValue(ServeWithOption));
        if ((socket is not null && (setups.Length != 1 || command is not null)))
        {
            await error.WriteLineAsync("--socket is of one server: say its --setup, and no --serve-with").ConfigureAwait(false);
            return WrongArguments;
        }

        IReadOnlyList<Vector> vectors;
        try
        {
            vectors = VectorFile.ReadAll(files);
        }
        catch (Exception e) when (e is VectorFileException or IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync(e.Message).ConfigureAwait(false);
            return WrongArguments;
        }

        var chosen = vectors.Where(vector => (setups.Length == 0 || setups.Contains(vector.Setup))
            && (texts.Length == 0 || texts.Any(text => vector.Name.Contains(text, StringComparison.Ordinal)
                || vector.Test.Contains(text, StringComparison.Ordinal)))).ToList();
        if (chosen.Count == 0)
        {
            await error.WriteLineAsync("no vector is of that set-up and name").ConfigureAwait(false);
            return WrongArguments;
        }

        var peer = parsed.GetValue(PeerOption);
        var report = new Report(output, parsed.GetValue(JsonOption), parsed.GetValue(VerboseOption), peer);
        IServers servers = socket is not null ? new ListeningServer(socket, setups[0])
            : command is not null ? new CommandServers(command) : new OurServers();
        try
        {
            await new Runner(servers, peer, report.Add).RunAsync(chosen, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }

        report.Summary();
        return report.IsGood ? Good : Bad;
    }

    private static async Task<int> ServeAsync(ParseResult parsed, TextWriter error, CancellationToken cancellationToken)
    {
        var name = parsed.GetValue(ServedSetupArgument)!;
        if (Setup.Find(name) is not { } setup)
        {
            await error.WriteLineAsync($"{name} is no set-up; there are {string.Join(", ", Setup.All.Select(one => one.Name))}").ConfigureAwait(false);
            return WrongArguments;
        }

        await OurServers.ServeAsync(setup, parsed.GetValue(ServedSocketArgument)!, cancellationToken).ConfigureAwait(false);
        return Good;
    }

    private static Option<string[]> Repeatable(string name, string help, string description) => new(name)
    {
        Description = description,
        HelpName = help,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };
}
