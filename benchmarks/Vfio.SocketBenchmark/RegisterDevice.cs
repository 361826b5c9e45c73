namespace Vfio.SocketBenchmark;

/// <summary>
/// A device with one register: what is measured is the server. It counts what the serving thread allocates between its first access and its
/// last.
/// </summary>
internal sealed class RegisterDevice : VfioDevice
{
    private long _allocatedAtFirst;
    private long _allocatedAtLast;
    private long _accesses;

    public override DeviceInfo Info => new(DeviceFlags.Pci, RegionIndex.FixedCount, IrqInfo.IndexCount);

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        _accesses = 0;
        return ValueTask.FromResult(VfioResult.Success);
    }

    public override ValueTask CloseAsync(ResetCause cause)
    {
        Console.Out.WriteLine($"closed {_accesses} {_allocatedAtLast - _allocatedAtFirst}");
        return ValueTask.CompletedTask;
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region)
        => region == 0 ? new RegionInfo { Size = 4096, Flags = RegionFlags.Read | RegionFlags.Write } : RegionInfo.Absent;

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => new IrqInfo(IrqFlags.EventFd, 0);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        _allocatedAtLast = GC.GetAllocatedBytesForCurrentThread();
        if (_accesses++ == 0)
            _allocatedAtFirst = _allocatedAtLast;
        destination.Clear();
        return destination.Length;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => source.Length;

    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        set.DisposeEventFds();
        return Errno.EINVAL;
    }

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => ValueTask.FromResult(VfioResult.Success);
}
