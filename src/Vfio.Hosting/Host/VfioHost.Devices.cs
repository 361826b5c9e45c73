using Microsoft.Extensions.Logging;
using Vfio.User;

namespace Vfio.Hosting;

// Lending devices: in this process, or to the clients of an endpoint.
internal sealed partial class VfioHost
{
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    public async ValueTask<OpenedDevice> OpenAsync(
        PciAddress function, DeviceOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new();
        await StartAsync(cancellationToken).ConfigureAwait(false);
        var taken = await TakeAsync(function, options, "opened in process", cancellationToken).ConfigureAwait(false);
        return await OpenAsync(taken, options, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<OpenedDevice> OpenAsync(
        string device, DeviceOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new();
        await StartAsync(cancellationToken).ConfigureAwait(false);
        return await OpenAsync(Take(device, options, "opened in process"), options, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<ServedDevice> ServeAsync(
        PciAddress function, VfioUserEndpoint endpoint, DeviceOptions? options = null, CancellationToken cancellationToken = default)
    {
        options = ForServing(options);
        await StartAsync(cancellationToken).ConfigureAwait(false);
        var taken = await TakeAsync(function, options, $"served on {endpoint}", cancellationToken).ConfigureAwait(false);
        return await ServeAsync(taken, endpoint, options, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<ServedDevice> ServeAsync(
        string device, VfioUserEndpoint endpoint, DeviceOptions? options = null, CancellationToken cancellationToken = default)
    {
        options = ForServing(options);
        await StartAsync(cancellationToken).ConfigureAwait(false);
        return await ServeAsync(Take(device, options, $"served on {endpoint}"), endpoint, options, cancellationToken).ConfigureAwait(false);
    }

    private async Task<TakenDevice> TakeAsync(PciAddress function, DeviceOptions options, string use, CancellationToken cancellationToken)
    {
        var hosted = HostedFunctions.Get(_functions, function);
        var bound = await hosted.AcquireAsync(_matcher, options.Driver, use, cancellationToken).ConfigureAwait(false);
        return new(function.ToString(), bound, hosted.Release, error => WhyNot(hosted, bound, options.VfToken, error))
        {
            BeforeServing = () => OfferToken(function, options.VfToken),
        };
    }

    private TakenDevice Take(string device, DeviceOptions options, string use)
    {
        if (options.Driver is not null || options.VfToken is not null)
            throw new ArgumentException("a mediated device has neither drivers to choose from nor a VF token", nameof(options));
        var hosted = _mediated.FirstOrDefault(m => m.Name == device) ?? throw new VfioException(
            Errno.ENODEV, $"there is no mediated device '{device}'; there are: {string.Join(", ", _mediated.Select(m => m.Name))}");
        var bound = hosted.Acquire(use);
        return new(device, bound, hosted.Release, error => bound.Device.Fault ?? error.ToString());
    }

    private static DeviceOptions ForServing(DeviceOptions? options) => options is not { Dma: not null }
        ? options ?? new()
        : throw new ArgumentException("the client of a served device brings the memory", nameof(options));

    private async ValueTask<OpenedDevice> OpenAsync(TakenDevice taken, DeviceOptions options, CancellationToken cancellationToken)
    {
        var bound = taken.Bound;
        try
        {
            SelectProfile(taken, options.Profile);
            var dma = options.Dma ?? new DmaSpace();
            var context = new VfioOpenContext { Dma = dma, VfToken = options.VfToken };
            var result = await bound.Device.OpenAsync(context, cancellationToken).ConfigureAwait(false);
            if (!result.IsSuccess)
            {
                var why = taken.WhyNot(result.Error);
                throw new VfioException(result.Error, $"{taken.Name}: driver {bound.Driver} did not open it: {why}");
            }

            OpenedDevice? opened = null;
            opened = new(
                bound.Device, bound.Driver, bound.Degraded, dma, () => CloseAsync(taken, opened!, ownsMemory: options.Dma is null));
            _lending.Add(opened);
            return opened;
        }
        catch
        {
            taken.Release();
            throw;
        }
    }

    private async ValueTask<ServedDevice> ServeAsync(
        TakenDevice taken, VfioUserEndpoint endpoint, DeviceOptions options, CancellationToken cancellationToken)
    {
        var bound = taken.Bound;
        var stop = new CancellationTokenSource();
        Task? completion = null;
        try
        {
            SelectProfile(taken, options.Profile);
            taken.BeforeServing();
            var server = new VfioUserServer(bound.Device, ServerOptions(options), _loggers.CreateLogger<VfioUserServer>());
            completion = ServeToTheEndAsync(server.RunAsync(endpoint, stop.Token), taken);
            await Task.WhenAny(server.Listening, completion).WaitAsync(cancellationToken).ConfigureAwait(false);

            // One that does not listen has failed, or was given a client that is gone already.
            if (!server.Listening.IsCompletedSuccessfully)
                await completion.ConfigureAwait(false);
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            if (completion is null)
                taken.Release();
            else
                await completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        ServedDevice? served = null;
        served = new(
            bound.Device, bound.Driver, bound.Degraded, completion,
            token => ReleaseRequests.UntilClosedAsync(bound.Device, _time, token), () => StopAsync(served!, stop));
        _lending.Add(served);
        _ = completion.ContinueWith(_ => _lending.Remove(served), TaskScheduler.Default);
        return served;
    }

    private static async Task ServeToTheEndAsync(Task running, TakenDevice taken)
    {
        try
        {
            await running.ConfigureAwait(false);
        }
        finally
        {
            taken.Release();
        }
    }

    private async ValueTask StopAsync(ServedDevice served, CancellationTokenSource stop)
    {
        _lending.Remove(served);
        await stop.CancelAsync().ConfigureAwait(false);

        // What went wrong with the endpoint is for whoever awaits the completion; stopping is done either way. The device may take its
        // time to close, and the core after it; a driver that never returns keeps the serving thread, and not the host.
        var limit = (2 * _options.OperationTimeout) + StopGrace;
        await served.Completion.WaitAsync(limit, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!served.Completion.IsCompleted)
            LogLost(served.Driver, limit.TotalSeconds);
    }

    [LoggerMessage(3201, LogLevel.Error, "Driver {Driver} did not return within {Seconds} s: the thread that serves its device is lost")]
    private partial void LogLost(string driver, double seconds);

    private async ValueTask CloseAsync(TakenDevice taken, OpenedDevice opened, bool ownsMemory)
    {
        _lending.Remove(opened);
        try
        {
            await taken.Bound.Device.CloseAsync(ResetCause.Close).ConfigureAwait(false);
            if (ownsMemory)
                opened.Dma.UnmapAll();
        }
        finally
        {
            taken.Release();
        }
    }

    private VfioUserServerOptions ServerOptions(DeviceOptions options)
    {
        var server = _serverOptions ?? new();
        return server with { VfToken = options.VfToken ?? server.VfToken, KeepOpen = options.KeepOpen || server.KeepOpen };
    }

    private static void SelectProfile(TakenDevice taken, string? profile)
    {
        if (profile is null)
            return;
        var profiles = taken.Bound.Device.Profiles;
        var result = profiles is not null ? profiles.Select(profile) : profile == IProfiles.Native ? VfioResult.Success : Errno.EINVAL;
        if (!result.IsSuccess)
        {
            var available = string.Join(", ", profiles?.Available ?? [IProfiles.Native]);
            throw new VfioException(
                result.Error, $"{taken.Name}: profile '{profile}' cannot be chosen ({result.Error}); available: {available}");
        }
    }

    // A PF that is served is opened once its client comes, and those of its VFs may come first.
    private void OfferToken(PciAddress function, Guid? token)
    {
        if (token is not { } given || !_functions.Any(f => f.Function.PhysicalFunction == function))
            return;
        var offered = _sets.GiveVfToken(function, given);
        if (!offered.IsSuccess)
        {
            throw new VfioException(
                offered.Error, $"{function}: VFs of it are in use with another VF token ({offered.Error}); close them, or give that one");
        }
    }

    private static string WhyNot(HostedFunction hosted, BoundDevice bound, Guid? token, Errno error) => (bound.Device.Fault, error) switch
    {
        ({ } fault, _) => fault,
        (_, Errno.EACCES) when hosted.Function.PhysicalFunction is { } physical => token is null
            ? $"its PF {physical} is open or has a VF token, and a VF token is required ({error})"
            : $"the VF token is not the one that its PF {physical} has ({error})",
        (_, Errno.EACCES) => token is null
            ? $"VFs of it are in use, and a VF token is required ({error})"
            : $"VFs of it are in use, and the VF token is not theirs ({error})",
        (_, Errno.EINVAL) when token is not null =>
            $"a VF token was given and is of no use: it is no PF, and no VF of a PF that is open or has a VF token ({error})",
        _ => bound.Degraded is { } degraded ? $"{degraded} ({error})" : error.ToString(),
    };
}
