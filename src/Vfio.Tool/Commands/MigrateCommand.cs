using System.CommandLine;
using Microsoft.Extensions.Logging;
using Vfio.Core;
using Vfio.Tool.Migration;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio migrate</c></summary>
internal static class MigrateCommand
{
    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var functions = new Argument<string[]>("function")
        {
            Description = "A PCI address, or the unique end of one; several move as a set.",
            HelpName = "FUNCTION",
            Arity = ArgumentArity.OneOrMore,
        };
        var to = new Option<string[]>("--to")
        {
            Description = "Where to: a function that this command knows as well (one for each), or a vfio restore on unix:PATH or "
                + "tcp:HOST:PORT, or a file.",
            HelpName = "PLACE",
            Required = true,
            AllowMultipleArgumentsPerToken = true,
        };
        var downtime = new Option<int?>("--downtime")
        {
            Description = "For how long the devices may stand still. 300 by default.", HelpName = "MS", CustomParser = OptionValues.Number,
        };
        var rounds = new Option<int?>("--max-rounds")
        {
            Description = "How many rounds of reading running devices there are before they are stopped all the same. 64 by default.",
            HelpName = "N",
            CustomParser = OptionValues.Number,
        };
        var strict = new Option<bool>("--strict") { Description = "Fail instead, and leave the devices running." };
        var noPrecopy = new Option<bool>("--no-precopy") { Description = "Do not read the devices while they run." };
        var noPeers = NoPeers();
        var recover = new Option<bool>("--recover")
        {
            Description = "First make functions run that an earlier migration has left on the way, or in STOP. Only where they run nowhere "
                + "else.",
        };
        var hold = DeviceHold.Option();
        var json = GlobalOptions.Json();
        var transport = new TransportOptions();
        var command = new Command("migrate", "Moves functions' devices: their state, not the guest's memory or what its VMM keeps.")
        {
            functions, to, downtime, rounds, strict, noPrecopy, noPeers, recover, hold, json,
        };
        transport.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var names = parsed.GetRequiredValue(functions);
            var places = parsed.GetRequiredValue(to).Select(MigrationPlace.Parse).ToList();
            var plan = Plan(names, places);
            if (parsed.GetValue(hold) && plan is not null)
                throw new UsageException("--hold is for --to FUNCTION; elsewhere the devices are not this command's");
            using var identity = transport.Identity(parsed, places[0]);
            var timeout = transport.Timeout(parsed);
            var source = new MigrationSourceOptions
            {
                DowntimeTarget = TimeSpan.FromMilliseconds(Positive("--downtime", parsed.GetValue(downtime) ?? 300, least: 0)),
                MaxRounds = Positive("--max-rounds", parsed.GetValue(rounds) ?? 64, least: 1),
                OnNonConvergence = parsed.GetValue(strict) ? NonConvergence.Fail : NonConvergence.Stop,
                UsePrecopy = !parsed.GetValue(noPrecopy),
                DevicesAreNoPeers = parsed.GetValue(noPeers),
            };
            if (TransportOptions.Warning(places[0], identity) is { } warning)
                await terminal.Error.WriteLineAsync(warning).ConfigureAwait(false);
            if (plan is FilePlace file)
                StateFile.Check(file.Path);
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Warning, null, cancellationToken, MigratingFunctions.Remote).ConfigureAwait(false);
            await using var from = await MigratingFunctions.OpenAsync(
                session.Host, names, isSource: true, cancellationToken).ConfigureAwait(false);
            await LeftDevices.RecoverAsync(from.Devices, parsed.GetValue(recover), terminal.Error, cancellationToken).ConfigureAwait(false);
            var isJson = parsed.GetValue(json);
            var attempt = new MigrationAttempt(terminal, isJson, [.. from.Devices.Select(d => d.Name)], isSource: true, timeout)
            {
                Place = string.Join(" ", places),
            };
            if (plan is not null)
            {
                return await attempt.RunAsync(
                    (progress, end) => SendAsync(new(from.Devices, source with { Progress = progress }), plan, identity, end),
                    cancellationToken).ConfigureAwait(false);
            }

            var others = places.Cast<FunctionPlace>().Select(p => p.Function);
            await using var into = await MigratingFunctions.OpenAsync(
                session.Host, others, isSource: false, cancellationToken).ConfigureAwait(false);
            var destination = new MigrationDestination(into.Devices, new() { DevicesAreNoPeers = source.DevicesAreNoPeers });
            var code = await attempt.RunAsync(
                (progress, end) => MoveHereAsync(new(from.Devices, source with { Progress = progress }), destination, end),
                cancellationToken).ConfigureAwait(false);
            if (code == ExitCode.Done)
            {
                IReadOnlyList<string> there = [.. into.Devices.Select(d => d.Name)];
                await DeviceHold.WaitAsync(parsed.GetValue(hold), there, terminal, isJson, cancellationToken).ConfigureAwait(false);
            }

            return code;
        });
        return command;
    }

    /// <summary>The option of both sides for sets without P2P.</summary>
    public static Option<bool> NoPeers() => new("--no-peers")
    {
        Description = "The functions of the set start no DMA to each other, so that those without P2P states may move together.",
    };

    // Null: to functions of this process.
    private static MigrationPlace? Plan(string[] names, List<MigrationPlace> places)
    {
        if (places.All(p => p is FunctionPlace))
        {
            return places.Count == names.Length ? null
                : throw new UsageException($"{names.Length} functions move to {places.Count} others; name one for each");
        }

        return places.Count == 1 ? places[0] : throw new UsageException("a set moves to one place, or to functions, one for each");
    }

    private static async Task<MigrationSummary> SendAsync(
        MigrationSource source, MigrationPlace place, TlsIdentity? identity, CancellationToken cancellationToken)
    {
        if (place is FilePlace file)
            return await StateFile.SaveAsync(source, file.Path, cancellationToken).ConfigureAwait(false);
        var connection = await Connections.ConnectAsync(place, identity, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
            return await source.SendAsync(connection, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<MigrationSummary> MoveHereAsync(
        MigrationSource source, MigrationDestination destination, CancellationToken cancellationToken)
    {
        var (here, there) = LocalConnection.Create();
        using var failed = new CancellationTokenSource();
        var receiving = Task.Run(
            async () =>
            {
                await using (there.ConfigureAwait(false))
                    await destination.ReceiveAsync(there, failed.Token).ConfigureAwait(false);
            },
            CancellationToken.None);
        try
        {
            await using (here.ConfigureAwait(false))
                return await source.SendAsync(here, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // A destination that waits for a device that hangs does not see the end of the connection.
            await failed.CancelAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            // The source has said all that there is to say; the destination only has to have ended.
            await receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static int Positive(string option, int value, int least)
        => value >= least ? value : throw new UsageException($"{option} {value}: it is {least} or more");
}
