using System.CommandLine;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.Hosting;
using Vfio.Simulation;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio serve</c></summary>
internal static class ServeCommand
{
    private const int LongestRelease = 24 * 60 * 60;

    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var function = new Argument<string?>("function")
        {
            Description = "A PCI address, or the unique end of one.", HelpName = "FUNCTION", Arity = ArgumentArity.ZeroOrOne,
        };
        var path = new Option<string?>("--socket-path", "--socket")
        {
            Description = "The socket that clients connect to.", HelpName = "PATH",
        };
        var fd = new Option<int?>("--fd")
        {
            Description = "A listening or connected socket that was inherited, instead.",
            HelpName = "N",
            CustomParser = OptionValues.Number,
        };
        var pairs = new Option<string[]>("--serve")
        {
            Description = "One more function and its socket. Repeatable.", HelpName = "FUNCTION=PATH",
        };
        var driver = new Option<string?>("--driver")
        {
            Description = "The driver to serve with, instead of the best one.", HelpName = "NAME",
        };
        var profile = new Option<string?>("--profile") { Description = "The profile to choose first.", HelpName = "NAME" };
        var token = new Option<Guid?>("--vf-token")
        {
            Description = "The token that a PF and its VFs are opened with, where both are served.",
            HelpName = "UUID",
            CustomParser = OptionValues.Uuid,
        };
        var poll = new Option<int?>("--poll")
        {
            Description = "Drive simulated devices by polling, on this CPU.", HelpName = "CPU", CustomParser = OptionValues.Number,
        };
        var keepOpen = new Option<bool>("--keep-open")
        {
            Description = "Keep a device open between its clients, with its state, instead of resetting it.",
        };
        var release = new Option<int?>("--release-timeout")
        {
            Description =
                "At SIGTERM or SIGINT, ask clients for so long to release their devices (REQ) before disconnecting them. 0 by default.",
            HelpName = "SECONDS",
            CustomParser = OptionValues.Number,
        };
        var ready = new Option<int?>("--ready-fd")
        {
            Description = "Gets a line, and is closed, once clients are accepted.", HelpName = "N", CustomParser = OptionValues.Number,
        };
        var command = new Command("serve", "Serves functions over vfio-user until SIGTERM or SIGINT.")
        {
            function, path, fd, pairs, driver, profile, token, keepOpen, poll, release, ready,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var seconds = parsed.GetValue(release) ?? 0;
            if (seconds is < 0 or > LongestRelease)
                throw new UsageException($"--release-timeout {seconds}: it is 0 to {LongestRelease} seconds");
            var targets = ServeTarget.From(
                parsed.GetValue(function), parsed.GetValue(path), parsed.GetValue(fd), parsed.GetValue(pairs) ?? []);
            using var readyFd = parsed.GetValue(ready) is { } number ? InheritedDescriptor.Take("--ready-fd", number) : null;
            var device = new DeviceOptions
            {
                Driver = parsed.GetValue(driver),
                Profile = parsed.GetValue(profile),
                VfToken = parsed.GetValue(token),
                KeepOpen = parsed.GetValue(keepOpen),
            };
            var simulation = new SimulationOptions { PollCpu = parsed.GetValue(poll) };
            try
            {
                await using var session = await Session.StartAsync(
                    parsed, options, terminal, LogLevel.Information, simulation, cancellationToken).ConfigureAwait(false);
                var patience = TimeSpan.FromSeconds(seconds);
                await ServeAsync(session.Host, targets, device, patience, readyFd, terminal, cancellationToken).ConfigureAwait(false);
                return ExitCode.Done;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Being told to stop is how serving ends.
                return ExitCode.Done;
            }
        });
        return command;
    }

    private static async Task ServeAsync(
        IVfioHost host,
        IReadOnlyList<ServeTarget> targets,
        DeviceOptions options,
        TimeSpan patience,
        SafeFileHandle? readyFd,
        Terminal terminal,
        CancellationToken cancellationToken)
    {
        var served = new List<ServedDevice>();
        try
        {
            foreach (var (target, function) in InOrder(host, targets, options.VfToken))
            {
                var device = await host.ServeAsync(function.Address, target.Endpoint, options, cancellationToken).ConfigureAwait(false);
                served.Add(device);
                if (device.Degraded is { } degraded)
                    await terminal.Error.WriteLineAsync($"vfio: {function.Address} is degraded: {degraded}").ConfigureAwait(false);
                await terminal.Out.WriteLineAsync($"serving {function.Address} on {target.Place}").ConfigureAwait(false);
                await terminal.Out.FlushAsync(cancellationToken).ConfigureAwait(false);
            }

            if (readyFd is not null)
                SignalReady(readyFd);

            // All of them end when they are told to; one that ends before has a fault that ends the others, or had one client and served
            // it.
            var running = served.Select(s => s.Completion).ToList();
            while (running.Count > 0)
            {
                var ended = await Task.WhenAny(running).WaitAsync(cancellationToken).ConfigureAwait(false);
                await ended.ConfigureAwait(false);
                running.Remove(ended);
            }
        }
        finally
        {
            if (cancellationToken.IsCancellationRequested && patience > TimeSpan.Zero)
                await ReclaimAsync(served, patience, terminal).ConfigureAwait(false);
            foreach (var device in served)
                await device.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task ReclaimAsync(List<ServedDevice> served, TimeSpan patience, Terminal terminal)
    {
        var line = $"asking clients to release their devices, for {patience.TotalSeconds} s at most";
        await terminal.Out.WriteLineAsync(line).ConfigureAwait(false);
        await terminal.Out.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        using var end = new CancellationTokenSource(patience);
        await Task.WhenAll(served.Select(device => device.ReclaimAsync(end.Token).AsTask())).ConfigureAwait(false);
    }

    // With a token a PF comes first: a VF's client that is faster than the PF's has something to show it to.
    private static List<(ServeTarget Target, IPciFunction Function)> InOrder(
        IVfioHost host, IReadOnlyList<ServeTarget> targets, Guid? token)
    {
        var found = targets.Select(t => (Target: t, Function: host.Find(t.Function))).ToList();
        if (token is null)
            return found;
        foreach (var (_, function) in found)
        {
            var address = function.Address;
            if (!host.Functions.Any(f => f.PhysicalFunction == address)
                && !found.Any(f => f.Function.Address == function.PhysicalFunction))
                throw new UsageException($"--vf-token is of no use to {address}: it is no PF, and its PF is not served with it");
        }

        return [.. found.OrderBy(f => f.Function.PhysicalFunction is not null)];
    }

    private static void SignalReady(SafeFileHandle readyFd)
    {
        try
        {
            using var stream = new FileStream(readyFd, FileAccess.Write, bufferSize: 0);
            stream.Write("\n"u8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VfioException(Errno.EBADF, $"--ready-fd cannot be written: {e.Message}", e);
        }
    }
}
