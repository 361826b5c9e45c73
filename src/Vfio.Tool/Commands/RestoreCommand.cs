using System.CommandLine;
using Microsoft.Extensions.Logging;
using Vfio.Core;
using Vfio.Tool.Migration;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio restore</c></summary>
internal static class RestoreCommand
{
    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var from = new Argument<string>("from")
        {
            Description = "A file, or where to wait for a vfio migrate: unix:PATH or tcp:HOST:PORT.", HelpName = "PLACE",
        };
        var functions = new Argument<string[]>("function")
        {
            Description = "A PCI address, or the unique end of one: as many as are moved, in their order.",
            HelpName = "FUNCTION",
            Arity = ArgumentArity.OneOrMore,
        };
        var fenced = new Option<bool>("--run-if-source-lost")
        {
            Description = "If the connection ends after everything was loaded, run all the same. Only where something else makes sure "
                + "that the source does not.",
        };
        var noPeers = MigrateCommand.NoPeers();
        var hold = DeviceHold.Option();
        var json = GlobalOptions.Json();
        var transport = new TransportOptions();
        var command = new Command("restore", "Takes over devices that vfio migrate moves or has saved.")
        {
            from, functions, fenced, noPeers, hold, json,
        };
        transport.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var place = MigrationPlace.Parse(parsed.GetRequiredValue(from));
            if (place is FunctionPlace)
            {
                throw new UsageException(
                    $"{place} is a function; vfio migrate moves from one to another (a file of this name is ./{place})");
            }


            using var identity = transport.Identity(parsed, place);
            var timeout = transport.Timeout(parsed);
            if (TransportOptions.Warning(place, identity) is { } warning)
                await terminal.Error.WriteLineAsync(warning).ConfigureAwait(false);
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Warning, null, cancellationToken, MigratingFunctions.Remote).ConfigureAwait(false);
            await using var opened = await MigratingFunctions.OpenAsync(
                session.Host, parsed.GetRequiredValue(functions), isSource: false, cancellationToken).ConfigureAwait(false);
            var isJson = parsed.GetValue(json);
            IReadOnlyList<string> names = [.. opened.Devices.Select(d => d.Name)];
            using var listener = place is FilePlace ? null : await Listener.ListenAsync(place, cancellationToken).ConfigureAwait(false);
            if (listener is not null)
                await AnnounceAsync(isJson ? terminal.Error : terminal.Out, listener.Place).ConfigureAwait(false);
            var attempt = new MigrationAttempt(terminal, isJson, names, isSource: false, timeout) { Place = $"{listener?.Place ?? place}" };
            var settings = new MigrationDestinationOptions
            {
                DevicesAreNoPeers = parsed.GetValue(noPeers), RunWhenSourceIsLost = parsed.GetValue(fenced),
            };
            var code = await attempt.RunAsync(
                (progress, end) => TakeAsync(new(opened.Devices, settings with { Progress = progress }), place, listener, identity, end),
                cancellationToken).ConfigureAwait(false);
            if (code == ExitCode.Done)
                await DeviceHold.WaitAsync(parsed.GetValue(hold), names, terminal, isJson, cancellationToken).ConfigureAwait(false);
            return code;
        });
        return command;
    }

    private static async Task AnnounceAsync(TextWriter to, MigrationPlace place)
    {
        await to.WriteLineAsync($"waiting on {place}").ConfigureAwait(false);
        await to.FlushAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private static async Task<MigrationSummary> TakeAsync(
        MigrationDestination destination,
        MigrationPlace place,
        Listener? listener,
        TlsIdentity? identity,
        CancellationToken cancellationToken)
    {
        if (listener is null)
            return await StateFile.RestoreAsync(destination, ((FilePlace)place).Path, cancellationToken).ConfigureAwait(false);
        var connection = await listener.AcceptAsync(identity, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
            return await destination.ReceiveAsync(connection, cancellationToken).ConfigureAwait(false);
    }
}
