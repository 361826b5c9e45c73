using System.Buffers;
using System.Buffers.Binary;
using Vfio.Core;

namespace Vfio.User.Tests.Peers;

/// <summary>
/// A device whose state is some bytes, and that migrates: it saves two records while it runs, and its state when it has stopped; it loads the
/// last record that came. A reset takes its state away.
/// </summary>
internal sealed class MovableDevice : VfioDevice, IMigration
{
    private readonly byte[] _config = new byte[256];
    private readonly byte[] _precopy;
    private byte[]? _loaded;
    private int _precopied;
    private IDmaSpace? _dma;

    public MovableDevice(byte[] state, MigrationCapabilities capabilities, ushort deviceId = 0x1572, int precopySize = 3000)
    {
        (State, Capabilities, _precopy) = (state, capabilities, new byte[precopySize]);
        BinaryPrimitives.WriteUInt16LittleEndian(_config, 0x8086);
        BinaryPrimitives.WriteUInt16LittleEndian(_config.AsSpan(2), deviceId);
        MigrationOps = new MigrationService(this);
    }

    /// <summary>What moves; empty after a reset.</summary>
    public byte[] State { get; private set; }

    public bool IsOpen { get; private set; }

    public int Opens { get; private set; }

    public override IMigration Migration => this;

    public override IMigrationOps MigrationOps { get; }

    public override DeviceInfo Info => new(DeviceFlags.Pci | DeviceFlags.Reset, RegionIndex.Vga + 1, IrqInfo.IndexCount);

    public MigrationCapabilities Capabilities { get; }

    /// <summary>Whether what it writes is logged in its DMA space.</summary>
    public bool LogsInSpace { get; set; }

    public override IDmaLogging? DmaLogging => LogsInSpace ? _dma!.WriteLog : null;

    /// <summary>Told of each arc before it is made.</summary>
    public Action<MigrationArc>? OnStep { get; set; }

    public PrecopyInfo PrecopyInfo => _precopied == 0 ? new((ulong)_precopy.Length, 0) : new(0, _precopied == 1 ? (ulong)_precopy.Length : 0);

    public ulong StopCopySize => (ulong)State.Length;

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        (IsOpen, Opens, _dma) = (true, Opens + 1, context.Dma);
        return new(VfioResult.Success);
    }

    public override ValueTask CloseAsync(ResetCause cause)
    {
        if (!IsOpen)
            return ValueTask.CompletedTask;
        IsOpen = false;
        RaiseWasReset(cause);
        return ValueTask.CompletedTask;
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => region switch
    {
        RegionIndex.Config => new RegionInfo { Size = (ulong)_config.Length, Flags = RegionFlags.Read | RegionFlags.Write },
        >= 0 and < RegionIndex.Vga => RegionInfo.Absent,
        _ => Errno.EINVAL,
    };

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => index < IrqInfo.IndexCount ? default(IrqInfo) : Errno.EINVAL;

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (region != RegionIndex.Config || offset > (ulong)_config.Length || (ulong)destination.Length > (ulong)_config.Length - offset)
            return Errno.EINVAL;
        _config.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => source.Length;

    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        set.DisposeEventFds();
        return 0;
    }

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        RaiseWasReset(cause);
        return new(VfioResult.Success);
    }

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        OnStep?.Invoke(arc);
        if (arc.To is MigrationState.PreCopy or MigrationState.Resuming)
            (_precopied, _loaded) = (0, null);
        if (arc is { From: MigrationState.Resuming, To: MigrationState.Stop })
            State = _loaded!;
        return new(VfioResult.Success);
    }

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        var record = phase == MigrationState.PreCopy ? _precopy : State;
        if (phase == MigrationState.PreCopy)
            _precopied++;
        var head = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)record.Length);
        await session.Saving!.WriteAsync(head, cancellationToken);
        foreach (var piece in record.Chunk(100_000))
            await session.Saving.WriteAsync(piece, cancellationToken);
        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        var all = new ArrayBufferWriter<byte>();
        while (true)
        {
            var read = await session.Resuming!.ReadAsync(cancellationToken);
            foreach (var segment in read.Buffer)
                all.Write(segment.Span);
            session.Resuming.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return Load(all.WrittenSpan);
        }
    }

    /// <summary>Gives it its state back.</summary>
    public void Restore(byte[] state) => State = state;

    public void OnReset() => State = [];

    private VfioResult Load(ReadOnlySpan<byte> all)
    {
        while (all.Length >= sizeof(uint))
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(all);
            if (size > all.Length - sizeof(uint))
                return Errno.EINVAL;
            _loaded = all.Slice(sizeof(uint), (int)size).ToArray();
            all = all[(sizeof(uint) + (int)size)..];
        }

        return all.IsEmpty && _loaded is not null ? VfioResult.Success : Errno.EINVAL;
    }
}
