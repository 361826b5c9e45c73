using Microsoft.Extensions.Logging;
using Vfio.User.Dma;
using Vfio.User.Requests;

namespace Vfio.User.Sessions;

/// <summary>
/// The device of a server, as it is open for one client: with the memory that the client gives it, and with what the client drives of it.
/// On the serving thread.
/// </summary>
internal sealed class ServedDevice(VfioDevice device, VfioUserServerOptions options, string name, ILogger logger)
{
    private bool _isOpen;
    private int _faults;

    public VfioDevice Device { get; } = device;

    /// <summary>What the client has mapped. There while the device is open, as are those below.</summary>
    public ClientDmaSpace Dma { get; private set; } = null!;

    public uint RegionCount { get; private set; }

    public uint IrqCount { get; private set; }

    /// <summary>Null: the device does not migrate.</summary>
    public ClientMigration? Migration { get; private set; }

    /// <summary>Null: the device's DMA is not logged.</summary>
    public ClientDmaLogging? DmaLogging { get; private set; }

    /// <summary>Opens it for a client.</summary>
    /// <param name="requests">How the client's memory is reached that came without a file.</param>
    /// <param name="wait">How the client's calls wait for the device.</param>
    /// <param name="stopping">Set when the server is stopped.</param>
    public VfioResult Open(ClientRequests requests, DeviceWait wait, CancellationToken stopping)
    {
        try
        {
            _faults = 0;
            Dma = new ClientDmaSpace(requests);

            // From here on the device may be open, whatever it says.
            _isOpen = true;
            var opened = Wait(Device.OpenAsync(new VfioOpenContext { Dma = Dma, VfToken = options.VfToken }, stopping), stopping);
            if (opened.IsSuccess)
                Begin(wait);
            return opened;
        }
        catch (Exception fault)
        {
            Report(fault, "open");
            return Errno.EIO;
        }
    }

    /// <summary>The client is gone: closes the device, whatever it says.</summary>
    /// <param name="cause">Why.</param>
    public void Close(ResetCause cause)
    {
        if (!_isOpen)
            return;
        _isOpen = false;
        Guarded("give up the data stream", () => Migration?.Drop());
        Guarded("close", () => Device.CloseAsync(cause).AsTask().GetAwaiter().GetResult());
        Migration = null;
        DmaLogging = null;
        logger.Gone(name);
        Dma.UnmapAll();
    }

    /// <summary>A device that fails at every access must not fill the log.</summary>
    public void Report(Exception fault, string what)
    {
        if (_faults++ == 0)
            logger.DeviceFailed(fault, name, what);
        else
            logger.DeviceFailedAgain(fault, name, what, _faults);
    }

    /// <summary>Waits for what the device does asynchronously.</summary>
    public static VfioResult Wait(ValueTask<VfioResult> task, CancellationToken stopping)
    {
        try
        {
            return task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return Errno.ECANCELED;
        }
    }

    private void Begin(DeviceWait wait)
    {
        var info = Device.Info;
        RegionCount = (uint)info.RegionCount;
        IrqCount = (uint)info.IrqCount;
        Migration = Device.MigrationOps is { } ops ? new ClientMigration(ops, wait) : null;
        DmaLogging = Device.DmaLogging is { } log ? new ClientDmaLogging(log) : null;
    }

    private void Guarded(string what, Action action)
    {
        try
        {
            action();
        }
        catch (Exception fault)
        {
            Report(fault, what);
        }
    }
}
