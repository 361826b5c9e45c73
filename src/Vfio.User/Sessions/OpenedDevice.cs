using Microsoft.Extensions.Logging;
using Vfio.User.Dma;
using Vfio.User.Requests;

namespace Vfio.User.Sessions;

/// <summary>
/// The device of a server, open for one client, or for one after the other: with the memory that the client gives it, and with what the
/// client drives of it. On the serving thread.
/// </summary>
internal sealed class OpenedDevice(VfioDevice device, VfioUserServerOptions options, string name, ILogger logger)
{
    private bool _hasClient;
    private bool _mayBeOpen;
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

    /// <summary>A client has come: opens the device, if it is not open still.</summary>
    /// <param name="requests">How the client's memory is reached that came without a file.</param>
    /// <param name="wait">How the client's calls wait for the device.</param>
    /// <param name="stopping">Set when the server is stopped.</param>
    public VfioResult Open(ClientRequests requests, DeviceWait wait, CancellationToken stopping)
    {
        try
        {
            _faults = 0;
            _hasClient = true;
            if (!_isOpen)
            {
                Dma = new ClientDmaSpace();
                Dma.Serve(requests);

                // From here on the device may be open, whatever it says.
                _mayBeOpen = true;
                var opened = Wait(Device.OpenAsync(new VfioOpenContext { Dma = Dma, VfToken = options.VfToken }, stopping), stopping);
                if (!opened.IsSuccess)
                    return opened;
                _isOpen = true;
            }

            Dma.Serve(requests);
            var info = Device.Info;
            RegionCount = (uint)info.RegionCount;
            IrqCount = (uint)info.IrqCount;
            Migration = Device.MigrationOps is { } ops ? new ClientMigration(ops, wait) : null;
            DmaLogging = Device.DmaLogging is { } log ? new ClientDmaLogging(log) : null;
            return VfioResult.Success;
        }
        catch (Exception fault)
        {
            _isOpen = false;
            Report(fault, "open");
            return Errno.EIO;
        }
    }

    /// <summary>The client is gone, and nobody waits for it any more: nothing of it is left when this returns.</summary>
    /// <param name="isStopping">Whether it is because the server is stopped.</param>
    public void Leave(bool isStopping)
    {
        if (!_hasClient)
            return;
        _hasClient = false;
        if (options.KeepOpen && _isOpen && !isStopping)
            Disown();
        else
            Close(isStopping ? ResetCause.Close : ResetCause.ClientLost);
    }

    /// <summary>Closes the device, whatever it says, if it may be open.</summary>
    /// <param name="cause">Why.</param>
    public void Close(ResetCause cause)
    {
        if (!_mayBeOpen)
            return;
        _mayBeOpen = _isOpen = false;
        Guarded("give up the data stream", () => Migration?.Drop());
        Guarded("close", () => Device.CloseAsync(cause).AsTask().GetAwaiter().GetResult());
        Migration = null;
        DmaLogging = null;
        logger.Gone(name);
        Dma.UnmapAll();
    }

    /// <summary>Tells people of a fault. A device that fails at every access must not fill the log.</summary>
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

    // The device goes on with its state, and without anything of the client's: its stream, its eventfds, its memory.
    private void Disown()
    {
        Guarded("give up the data stream", () => Migration?.Drop());
        Guarded("stop logging", () =>
        {
            if (DmaLogging is { IsStarted: true } logging)
                logging.Stop();
        });
        for (var index = 0u; index < IrqCount; index++)
            Guarded("disable interrupts", () => TurnOff(index));
        Migration = null;
        DmaLogging = null;
        logger.GoneAndKept(name);
        Dma.UnmapAll();
    }

    private void TurnOff(uint index)
    {
        if (Device.GetIrqInfo((int)index) is not { IsSuccess: true, Value.Count: > 0 })
            return;
        _ = Device.SetIrqs(new IrqSet { Index = index, Flags = IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger });
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
