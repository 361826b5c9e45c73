using Vfio.Core;
using Vfio.Hosting;
using Vfio.User;

namespace Vfio.Tool.Migration;

/// <summary>The functions that are moved, or whose places are taken: their devices, open.</summary>
internal sealed class MigratingFunctions : IAsyncDisposable
{
    /// <summary>How remote devices are opened: a server that keeps its device has in it what is to be moved.</summary>
    public static readonly VfioUserClientOptions Remote = new() { ResetOnOpen = false };

    private readonly List<MigratingDevice> _devices = [];
    private readonly Stack<Func<ValueTask>> _closing = new();

    public IReadOnlyList<MigratingDevice> Devices => _devices;

    /// <summary>Opens the devices.</summary>
    /// <exception cref="VfioException">There is no such function, it is in use, or it does not migrate.</exception>
    public static async Task<MigratingFunctions> OpenAsync(
        IVfioHost host, IEnumerable<string> names, bool isSource, CancellationToken cancellationToken)
    {
        var functions = names.Select(host.Find).ToList();
        var opened = new MigratingFunctions();
        try
        {
            foreach (var function in functions)
            {
                var device = function.Virtualized is { } below
                    ? await opened.OpenBelowAsync(function, below, cancellationToken).ConfigureAwait(false)
                    : await opened.OpenHereAsync(host, function, cancellationToken).ConfigureAwait(false);
                if (device.MigrationOps is not { } operations || !operations.Capabilities.HasFlag(MigrationCapabilities.StopCopy))
                    throw new VfioException(Errno.ENOTTY, $"{function.Address} does not migrate; vfio list says which functions do");
                if (!isSource)
                    await LeftDevices.DiscardAsync(device, cancellationToken).ConfigureAwait(false);
                opened._devices.Add(new(function.Address.ToString(), operations, Identity(function.Id)));
            }

            return opened;
        }
        catch
        {
            await opened.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        while (_closing.TryPop(out var close))
            await close().ConfigureAwait(false);
    }

    // What is moved is the device as whoever is below has it, in the state that it is in there: a driver in front of it would reset it.
    private async Task<VfioDevice> OpenBelowAsync(IPciFunction function, VfioDevice device, CancellationToken cancellationToken)
    {
        var result = await device.OpenAsync(new() { Dma = new DmaSpace() }, cancellationToken).ConfigureAwait(false);
        if (!result.IsSuccess)
            throw new VfioException(result.Error, $"{function.Address} cannot be opened: {result.Error}");
        _closing.Push(() => device.CloseAsync(ResetCause.Close));
        return device;
    }

    private async Task<VfioDevice> OpenHereAsync(IVfioHost host, IPciFunction function, CancellationToken cancellationToken)
    {
        var opened = await host.OpenAsync(function.Address, null, cancellationToken).ConfigureAwait(false);
        _closing.Push(opened.DisposeAsync);
        return opened.Device;
    }

    private static string Identity(PciId id)
        => $"{id.Vendor:x4}:{id.Device:x4} {id.SubsystemVendor:x4}:{id.SubsystemDevice:x4} class {id.ClassCode:x6}";
}
