namespace Vfio.Core;

/// <summary>
/// A device's DMA log as its front end has it: with every check made once, whoever keeps the log. The device's own
/// (<see cref="VfioDevice.DmaLogging"/>), or else that of the DMA space if all of the device's DMA goes through it
/// (<see cref="VfioDevice.IsDmaMediated"/>). Thread-safe.
/// </summary>
public sealed class DmaLoggingService : IDmaLogging
{
    /// <summary>Creates the service of a device, which is closed.</summary>
    /// <param name="device">The device.</param>
    public DmaLoggingService(VfioDevice device) => throw new NotImplementedException();

    /// <summary>Whether there is a log; otherwise the features are absent (ENOTTY).</summary>
    public bool IsPresent => throw new NotImplementedException();

    /// <summary>The device has been opened.</summary>
    /// <param name="dma">The memory that its DMA reaches.</param>
    public void Open(IDmaSpace dma) => throw new NotImplementedException();

    /// <summary>The device is about to be closed: logging ends.</summary>
    public void Close() => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult Stop() => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap) => throw new NotImplementedException();
}
