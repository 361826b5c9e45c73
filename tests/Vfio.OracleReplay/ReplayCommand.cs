using System.CommandLine;
using System.CommandLine.Invocation;
using Vfio.OracleReplay.Output;
using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Rows;

namespace Vfio.OracleReplay;

/// <summary>The command line.</summary>
internal static class ReplayCommand
{
    public const int Good = 0, Bad = 1, WrongArguments = 2, Interrupted = 130;

    private static readonly Argument<FileInfo> FileArgument = new("file")
    {
        Description = "A recording: one JSON object a line, compressed by gzip or not.",
        HelpName = "FILE.jsonl[.gz]",
    };

    private static readonly Option<string[]> DeviceOption = Repeatable("--device", "NAME", "Only this function. Repeatable.");
    private static readonly Option<string[]> RowOption = Repeatable("--row", "KIND", "Only rows of this kind. Repeatable.");

    private static readonly Option<bool> VerboseOption = new("--verbose", "-v")
    {
        Description = "A line for every row, and not for failed ones alone.",
    };

    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter output, TextWriter error,
        CancellationToken cancellationToken)
    {
        var root = new RootCommand("Replays what the kernel's vfio-pci answered for real functions through this library, and compares.")
        {
            FileArgument, DeviceOption, RowOption, VerboseOption,
        };
        root.SetAction((parsed, stopping) => RunAsync(parsed, output, error, stopping));
        var parsed = root.Parse(args);
        var configuration = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false };
        if (parsed.Action is not ParseErrorAction)
            return await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
        configuration.Output = error;
        await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
        return WrongArguments;
    }

    private static async Task<int> RunAsync(ParseResult parsed, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var file = parsed.GetValue(FileArgument)!;
        var (devices, kinds) = (parsed.GetValue(DeviceOption) ?? [], parsed.GetValue(RowOption) ?? []);
        RecordingFile recording;
        try
        {
            recording = RecordingFile.Read(file.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync(e.Message).ConfigureAwait(false);
            return WrongArguments;
        }

        var wrong = devices.Where(name => recording.Devices.All(d => d.Name != name))
            .Select(name => $"{file.Name} has no function {name}; it has {string.Join(", ", recording.Devices.Select(d => d.Name))}")
            .Concat(kinds.Where(name => RowKinds.Find(name) is null && recording.Devices.All(d => d.Of(name).Count == 0))
                .Select(name => $"{name} is no kind of row; known are {string.Join(", ", RowKinds.All.Select(kind => kind.Name))}"))
            .ToList();
        foreach (var line in wrong)
            await error.WriteLineAsync(line).ConfigureAwait(false);
        if (wrong.Count > 0)
            return WrongArguments;

        var report = new Report(output, parsed.GetValue(VerboseOption));
        try
        {
            await new Replay(report, devices, kinds).RunAsync(recording, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }

        report.Summary();
        return report.IsGood ? Good : Bad;
    }

    private static Option<string[]> Repeatable(string name, string help, string description) => new(name)
    {
        Description = description,
        HelpName = help,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };
}
