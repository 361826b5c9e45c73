using System.Runtime.InteropServices;
using Vfio.User.Client.Migration;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>The server's device while it is open: the connection, and what was found out when it was opened. Thread-safe.</summary>
internal sealed class DeviceSession : IAsyncDisposable
{
    private const int MostRegions = 100;
    private const int MostIrqs = 50;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, IReadOnlyList<RegionIoEventFd>> _ioEventFds = [];
    private readonly List<VfioResult<ServerRegion>> _regions = [];
    private readonly List<IDisposable> _owned = [];

    private DeviceSession(VfioUserClient client) => Client = client;

    public VfioUserClient Client { get; }

    public DeviceInfo Info { get; private set; }

    /// <summary>None: the device does not migrate.</summary>
    public MigrationCapabilities Migration { get; private set; }

    public bool HasDmaLogging { get; private set; }

    /// <summary>The data stream that was begun last.</summary>
    public WireDataStream? Stream { get; set; }

    /// <summary>Finds out what the device is, and gives it its memory.</summary>
    /// <returns>Any errno of the server. EPROTO: what it says cannot be.</returns>
    public static async ValueTask<VfioResult<DeviceSession>> OpenAsync(
        VfioUserClient client, IDmaSpace dma, bool reset, CancellationToken cancellationToken)
    {
        var session = new DeviceSession(client);
        var isOpen = false;
        try
        {
            var result = await session.LoadAsync(dma, reset, cancellationToken).ConfigureAwait(false);
            isOpen = result.IsSuccess;
            return isOpen ? session : result.Error;
        }
        finally
        {
            if (!isOpen)
                await session.DisposeAsync().ConfigureAwait(false);
        }
    }

    public VfioResult<ServerRegion> Region(int index) => (uint)index < (uint)_regions.Count ? _regions[index] : Errno.EINVAL;

    /// <summary>The plain ioeventfds of a region; asked for once, since each answer brings new descriptors.</summary>
    public VfioResult<IReadOnlyList<RegionIoEventFd>> IoEventFds(int region)
    {
        lock (_lock)
        {
            if (_ioEventFds.TryGetValue(region, out var known))
                return new(known);
            var found = IoFd.Get(Client, region);
            if (!found.IsSuccess)
                return found.Error;
            var events = new List<RegionIoEventFd>();

            // An eventfd with a shadow means nothing without it, and no device of this process could say so.
            foreach (var one in found.Value)
            {
                if (one.Descriptor is { } descriptor)
                    _owned.Add(descriptor);
                if (one is { Type: 0, Descriptor: { } eventFd })
                    events.Add(new RegionIoEventFd(one.Offset, one.Size, eventFd, one.Flags, one.DataMatch));
            }

            // The server answers the youngest first.
            events.Reverse();
            _ioEventFds[region] = events;
            return events;
        }
    }

    public async ValueTask<VfioResult> ResetAsync(CancellationToken cancellationToken)
    {
        if (Client.Caller.Begin(Command.DeviceReset, [], 0) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            return await Client.Caller.CallAsync(call, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Client.Caller.End(call);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The connection first: what waits for it ends. It is whole until nobody is inside, and a stream has reads on the way.
        Client.End();
        if (Stream is { } stream)
            await stream.DisposeAsync().ConfigureAwait(false);
        await Client.DisposeAsync().ConfigureAwait(false);
        lock (_lock)
        {
            foreach (var one in _owned)
                one.Dispose();
            _owned.Clear();
        }
    }

    private async ValueTask<VfioResult> LoadAsync(IDmaSpace dma, bool reset, CancellationToken cancellationToken)
    {
        Migration = await WireMigration.ProbeAsync(Client, cancellationToken).ConfigureAwait(false);
        if (reset && Migration != 0 && await WireMigration.RunAsync(Client, cancellationToken).ConfigureAwait(false) is { IsSuccess: false } stuck)
            return stuck;
        var info = await GetInfoAsync(cancellationToken).ConfigureAwait(false);
        if (!info.IsSuccess)
            return info.Error;
        Info = info.Value;
        if (reset && Info.Flags.HasFlag(DeviceFlags.Reset)
            && await ResetAsync(cancellationToken).ConfigureAwait(false) is { IsSuccess: false } notReset)
        {
            return notReset;
        }

        for (var i = 0; i < Info.RegionCount; i++)
        {
            var region = await ServerRegion.GetAsync(Client, i, cancellationToken).ConfigureAwait(false);
            if (region.Error is Errno.EPROTO or Errno.ENOTCONN or Errno.ECONNRESET or Errno.ETIMEDOUT)
                return region.Error;
            if (region.IsSuccess)
                _owned.Add(region.Value);
            _regions.Add(region);
        }

        HasDmaLogging = await WireDmaLogging.ProbeAsync(Client, cancellationToken).ConfigureAwait(false);

        await FollowAsync(dma, cancellationToken).ConfigureAwait(false);
        return VfioResult.Success;
    }

    // What is mapped already is told on the way, by calls that block: only the end of the connection ends them.
    private async ValueTask FollowAsync(IDmaSpace dma, CancellationToken cancellationToken)
    {
        using var givenUp = cancellationToken.UnsafeRegister(static client => ((VfioUserClient)client!).End(), Client);
        try
        {
            if (await Task.Run(() => dma.Observe(new DmaMapper(Client)), cancellationToken).ConfigureAwait(false) is { } following)
                _owned.Add(following);
        }
        catch (VfioException) when (cancellationToken.IsCancellationRequested)
        {
            // Because the connection was ended.
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    private async ValueTask<VfioResult<DeviceInfo>> GetInfoAsync(CancellationToken cancellationToken)
    {
        var request = new DeviceInfoStructure { ArgSize = DeviceInfoStructure.Size };
        if (Client.Caller.Begin(Command.DeviceGetInfo, request, DeviceInfoStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var result = await Client.Caller.CallAsync(call, cancellationToken).ConfigureAwait(false);
            if (!result.IsSuccess)
                return result.Error;
            if (!MemoryMarshal.TryRead<DeviceInfoStructure>(call.Reply, out var info) || info.RegionCount > MostRegions
                || info.IrqCount > MostIrqs)
            {
                return Client.Refuse($"answers GET_INFO with {result.Value} bytes, {info.RegionCount} regions and {info.IrqCount} irqs");
            }

            return new DeviceInfo((DeviceFlags)info.Flags & ~DeviceFlags.Capabilities, (int)info.RegionCount, (int)info.IrqCount);
        }
        finally
        {
            Client.Caller.End(call);
        }
    }
}
