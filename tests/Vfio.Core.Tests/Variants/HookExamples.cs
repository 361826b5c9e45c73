using System.Buffers.Binary;

namespace Vfio.Core.Tests.Variants;

// The examples of docs/hooks.md, so that they compile and do what the page says.

internal sealed class HalfABar(IVfioPciCore core) : VfioPciDevice(core)
{
    private const int Queue = 2;

    public override VfioResult<RegionInfo> GetRegionInfo(int region)
        => base.GetRegionInfo(region) is { IsSuccess: true, Value: var whole } && region == Queue ? Slice(whole).Cut(whole) : base.GetRegionInfo(region);

    public override VfioResult<RegionMapping> Map(int region)
        => base.Map(region) is { IsSuccess: true, Value: var whole } && region == Queue ? Visible().Cut(whole) : base.Map(region);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (region != Queue)
            return base.Read(region, offset, destination);
        var count = Visible().Clip(offset, destination.Length);
        return count.IsSuccess ? base.Read(region, offset, destination[..count.Value]) : count;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (region != Queue)
            return base.Write(region, offset, source);
        var count = Visible().Clip(offset, source.Length);
        return count.IsSuccess ? base.Write(region, offset, source[..count.Value]) : count;
    }

    private static RegionSlice Slice(RegionInfo whole) => new(whole.Size / 2);

    private RegionSlice Visible() => Slice(base.GetRegionInfo(Queue).Value);
}

internal sealed class OtherRevision(IVfioPciCore core) : VfioPciDevice(core)
{
    private static readonly RegisterRange Revision = new(8, 1);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        var read = base.Read(region, offset, destination);
        if (region == RegionIndex.Config && read.IsSuccess)
            Revision.Patch(offset, destination[..read.Value], [0x42]);
        return read;
    }
}

internal sealed class FakeIoBar(IVfioPciCore core) : VfioPciDevice(core)
{
    private const int Fake = 0;
    private const ulong Size = 32;
    private const uint Flags = 1;
    private static readonly RegisterRange Bar0 = new(0x10, 4);
    private readonly byte[] _bar = new byte[4];
    private readonly byte[] _registers = new byte[Size];

    public override VfioResult<RegionInfo> GetRegionInfo(int region)
        => region == Fake ? new RegionInfo { Size = Size, Flags = RegionFlags.Read | RegionFlags.Write } : base.GetRegionInfo(region);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (region == Fake)
            return Access(offset, destination.Length) is { IsSuccess: true } fits ? Copy(offset, destination[..fits.Value]) : Errno.EINVAL;
        var read = base.Read(region, offset, destination);
        if (region == RegionIndex.Config && read.IsSuccess)
            Bar0.Patch(offset, destination[..read.Value], _bar);
        return read;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (region == Fake)
        {
            if (Access(offset, source.Length) is not { IsSuccess: true } fits)
                return Errno.EINVAL;
            source[..fits.Value].CopyTo(_registers.AsSpan((int)offset));
            return fits;
        }

        var written = base.Write(region, offset, source);
        if (region == RegionIndex.Config && written.IsSuccess && Bar0.Capture(offset, source, _bar))
        {
            var value = BinaryPrimitives.ReadUInt32LittleEndian(_bar);
            BinaryPrimitives.WriteUInt32LittleEndian(_bar, (value & ~((uint)Size - 1)) | Flags);
        }

        return written;
    }

    private static VfioResult<int> Access(ulong offset, int count) => new RegionSlice(Size).Clip(offset, count);

    private VfioResult<int> Copy(ulong offset, Span<byte> destination)
    {
        _registers.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }
}

internal sealed class WithItsOwnRegion(IVfioPciCore core) : VfioPciDevice(core)
{
    public int RegionIndexOfScratch { get; private set; }

    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        var opened = await base.OpenAsync(context, cancellationToken);
        if (!opened.IsSuccess)
            return opened;
        var region = Core.RegisterRegion(new Scratch());
        if (!region.IsSuccess)
        {
            await base.CloseAsync(ResetCause.Close);
            return region;
        }

        RegionIndexOfScratch = region.Value;
        return VfioResult.Success;
    }

    private sealed class Scratch : DeviceRegion
    {
        private readonly byte[] _bytes = new byte[64];

        public override RegionType? Type => new RegionType(0x8000_1234, 1);

        public override ulong Size => 64;

        public override RegionFlags Flags => RegionFlags.Read;

        public override VfioResult<int> Read(ulong offset, Span<byte> destination)
        {
            _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
            return destination.Length;
        }

        public override VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source) => Errno.EINVAL;
    }
}

internal sealed class Resettable : VfioPciDevice
{
    private readonly DeferredReset _state;
    private bool _hasStream;

    public Resettable(IVfioPciCore core)
        : base(core) => _state = new(() => _hasStream = false);

    public bool HasStream => _hasStream;

    public async ValueTask TransferAsync(Func<ValueTask> transfer, CancellationToken cancellationToken)
    {
        await _state.EnterAsync(cancellationToken);
        try
        {
            _hasStream = true;
            await transfer();
        }
        finally
        {
            _state.Exit();
        }
    }

    protected override void ResetDone(ResetCause cause) => _state.OnResetDone();
}
