using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Tests.Peers;

/// <summary>
/// A device of tests: BAR0 4 KiB of memory; BAR1 0x8000 mappable in two areas; BAR2 all mappable with six ioeventfds; BAR4 read-only;
/// configuration space 256 bytes; one INTx, 2048 MSI-X vectors, one error and one request interrupt. Hooks change what a test is about.
/// </summary>
internal sealed class TestDevice : VfioDevice, IDisposable
{
    public const int MappedFileOffset = 0x8000;
    private readonly byte[][] _memory =
        [new byte[0x1000], new byte[0x8000], new byte[0x1000], [], new byte[0x1000], [], [], new byte[256], []];
    private static readonly RegionArea[] MappedAreas = [new(0x2000, 0x1000), new(0x4000, 0x2000)];
    private readonly Lock _lock = new();
    private readonly SafeFileHandle _mapped = Libc.memfd_create("bar1", Libc.MFD_CLOEXEC);

    public TestDevice()
    {
        Assert.Equal(0, Libc.ftruncate(_mapped, 0x10000));
        for (var i = 0; i < 6; i++)
            IoEventFds.Add(new RegionIoEventFd((ulong)(8 * i), 8, Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK)));
    }

    public IDmaSpace Dma { get; private set; } = null!;

    public bool IsOpen { get; private set; }

    /// <summary>Opens and closes and resets, in order.</summary>
    public List<string> Events { get; } = [];

    public List<RegionIoEventFd> IoEventFds { get; } = [];

    public Dictionary<(uint Index, uint SubIndex), SafeFileHandle> Triggers { get; } = [];

    /// <summary>How it migrates; null by default.</summary>
    public FakeMigration? FakeMigration { get; set; }

    /// <summary>Its log; null by default.</summary>
    public FakeDmaLog? FakeLog { get; set; }

    public override IMigrationOps? MigrationOps => FakeMigration;

    /// <summary>Whether what it writes is logged in its DMA space.</summary>
    public bool LogsInSpace { get; set; }

    public override IDmaLogging? DmaLogging => LogsInSpace ? Dma.WriteLog : FakeLog;

    public Func<int, ulong, int, VfioResult<int>?>? OnRead { get; set; }

    public Func<int, ulong, byte[], VfioResult<int>?>? OnWrite { get; set; }

    public Func<CancellationToken, ValueTask<VfioResult>>? OnReset { get; set; }

    public Func<CancellationToken, ValueTask<VfioResult>>? OnOpen { get; set; }

    public Func<ResetCause, ValueTask>? OnClose { get; set; }

    public Func<FeatureRequest, byte[], byte[], VfioResult<int>>? OnFeature { get; set; }

    public (IrqSetFlags Flags, uint Index, uint Start, uint Count, byte[] Bools, int EventFds)? LastIrqSet { get; private set; }

    /// <summary>The VF token that it was opened with last.</summary>
    public Guid? VfToken { get; private set; }

    public byte[] Bar0 => _memory[0];

    public override DeviceInfo Info => new(DeviceFlags.Reset | DeviceFlags.Pci, 9, 5);

    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        lock (_lock)
            Events.Add("open");
        if (OnOpen is { } hook && await hook(cancellationToken) is { IsSuccess: false } failed)
            return failed;
        Assert.False(IsOpen);
        IsOpen = true;
        Dma = context.Dma;
        VfToken = context.VfToken;
        return VfioResult.Success;
    }

    public override async ValueTask CloseAsync(ResetCause cause)
    {
        lock (_lock)
            Events.Add($"close {cause}");
        if (OnClose is { } hook)
            await hook(cause);
        IsOpen = false;
        FakeMigration?.Reset();
        FakeLog?.Stop();
        DropTriggers((_, _) => true);
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => region switch
    {
        0 or 7 => new RegionInfo { Size = (ulong)_memory[region].Length, Flags = RegionFlags.Read | RegionFlags.Write },
        1 => new RegionInfo
        {
            Size = 0x8000,
            Flags = RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap,
            SparseAreas = MappedAreas,
        },
        2 => new RegionInfo { Size = 0x1000, Flags = RegionFlags.Read | RegionFlags.Write },
        4 => new RegionInfo { Size = 0x1000, Flags = RegionFlags.Read },
        >= 0 and < 9 => RegionInfo.Absent,
        _ => Errno.EINVAL,
    };

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => index switch
    {
        0 => new IrqInfo(IrqFlags.EventFd | IrqFlags.Maskable | IrqFlags.Automasked, 1),
        1 => new IrqInfo(IrqFlags.EventFd, 0),
        2 => new IrqInfo(IrqFlags.EventFd, 2048),
        3 or 4 => new IrqInfo(IrqFlags.EventFd, 1),
        _ => Errno.EINVAL,
    };

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (OnRead is { } hook && hook(region, offset, destination.Length) is { } result)
            return result;
        var memory = _memory[region];
        if (offset >= (ulong)memory.Length)
            return Errno.EINVAL;
        var count = Math.Min(destination.Length, memory.Length - (int)offset);
        memory.AsSpan((int)offset, count).CopyTo(destination);
        return count;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (OnWrite is { } hook && hook(region, offset, source.ToArray()) is { } result)
            return result;
        var memory = _memory[region];
        if (region == 4 || offset >= (ulong)memory.Length)
            return Errno.EINVAL;
        var count = Math.Min(source.Length, memory.Length - (int)offset);
        source[..count].CopyTo(memory.AsSpan((int)offset));
        return count;
    }

    public override VfioResult<RegionMapping> Map(int region) => region == 1
        ? new RegionMapping { File = _mapped, FileOffset = MappedFileOffset, Areas = MappedAreas }
        : Errno.EINVAL;

    public override VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
        => region == 2 ? new VfioResult<IReadOnlyList<RegionIoEventFd>>(IoEventFds) : base.GetIoEventFds(region);

    // The rules of the kernel's vfio_set_irqs_validate_and_prepare, as far as they are the device's.
    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        LastIrqSet = (set.Flags, set.Index, set.Start, set.Count, set.Bools.ToArray(), set.EventFds.Length);
        var action = set.Flags & IrqSetFlags.ActionTypeMask;
        var info = set.Index < 5 ? GetIrqInfo((int)set.Index) : Errno.EINVAL;
        var isDisable = set is { Start: 0, Count: 0, Flags: IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger };
        if (!info.IsSuccess || (uint)(set.Flags & ~(IrqSetFlags.ActionTypeMask | IrqSetFlags.DataMask)) != 0
            || action is not (IrqSetFlags.ActionMask or IrqSetFlags.ActionUnmask or IrqSetFlags.ActionTrigger)
            || (set.Index >= 3 && action != IrqSetFlags.ActionTrigger)
            || (set.Count == 0 && !isDisable) || (ulong)set.Start + set.Count > info.Value.Count)
        {
            set.DisposeEventFds();
            return Errno.EINVAL;
        }

        var (index, first, last) = (set.Index, set.Start, set.Start + set.Count);
        if (isDisable)
        {
            DropTriggers((kind, _) => kind == index);
        }
        else if (set.Flags.HasFlag(IrqSetFlags.DataEventFd))
        {
            DropTriggers((kind, sub) => kind == index && sub >= first && sub < last);
            for (var i = 0; i < set.EventFds.Length; i++)
            {
                if (set.EventFds[i] is { } trigger)
                    Triggers[(index, first + (uint)i)] = trigger;
            }
        }
        else if (action == IrqSetFlags.ActionTrigger)
        {
            for (var sub = first; sub < last; sub++)
            {
                if (set.Bools.IsEmpty || set.Bools[(int)(sub - first)] != 0)
                    Fire(index, sub);
            }
        }

        return 0;
    }

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        lock (_lock)
            Events.Add($"reset {cause}");
        return OnReset?.Invoke(cancellationToken) ?? ValueTask.FromResult(VfioResult.Success);
    }

    public override VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (OnFeature is not { } hook)
            return Errno.ENOTTY;
        var answer = new byte[output.Length];
        var result = hook(request, input.ToArray(), answer);
        answer.CopyTo(output);
        return result;
    }

    public unsafe void Fire(uint index, uint sub)
    {
        if (!Triggers.TryGetValue((index, sub), out var trigger))
            return;
        var one = 1ul;
        Assert.Equal(sizeof(ulong), Libc.write(trigger, &one, sizeof(ulong)));
    }

    public void Dispose()
    {
        DropTriggers((_, _) => true);
        _mapped.Dispose();
        foreach (var one in IoEventFds)
            one.EventFd.Dispose();
    }

    private void DropTriggers(Func<uint, uint, bool> chosen)
    {
        foreach (var key in Triggers.Keys.Where(key => chosen(key.Index, key.SubIndex)).ToList())
        {
            Triggers[key].Dispose();
            Triggers.Remove(key);
        }
    }
}
