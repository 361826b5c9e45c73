using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Setups;

/// <summary>
/// The register window of a set-up's device: 32 bytes of command at 0, and behind them what the device has seen. README.md, "Set-ups".
/// </summary>
internal sealed class Doorbell(SetupFunction function, SafeFileHandle? released)
{
    private const int Length = 0x1000, CommandAt = 0, ResultAt = 4, IovaAt = 8, LengthAt = 16, ArgumentAt = 24, SlotAt = 28;
    private const int PathAt = 0x40, MostPath = 47, LoadedAt = 0x100, MostLoaded = 64, ResetsAt = 0x180;
    private const int MostTransfer = 1 << 20, Page = 4096;
    private readonly Lock _lock = new();
    private readonly byte[] _registers = new byte[Length];
    private readonly List<DmaSegment>?[] _slots = new List<DmaSegment>?[4];
    private IDmaSpace? _dma;
    private Task _releasing = Task.CompletedTask;
    private bool _isBusy;
    private Errno _busyResult;

    /// <summary>What steps of the migration fail with.</summary>
    public Errno StepFailure { get; private set; }

    /// <summary>What reading and writing the data stream fail with.</summary>
    public Errno DataFailure { get; private set; }

    public void Begin(IDmaSpace? dma)
    {
        lock (_lock)
        {
            Array.Clear(_registers);
            (StepFailure, DataFailure, _isBusy, _dma) = (Errno.None, Errno.None, false, dma);
        }
    }

    /// <summary>The client is gone: nothing of it is held any more.</summary>
    public async ValueTask EndAsync()
    {
        if (released is not null)
        {
            if (!_releasing.IsCompleted)
                EventFd.Signal(released);
            await _releasing.ConfigureAwait(false);

            // It may have ended by itself just then.
            EventFd.Consume(released);
        }

        ReleaseAll();
        _dma = null;
    }

    public VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        if (offset > Length || (ulong)destination.Length > Length - offset)
            return Errno.EINVAL;
        lock (_lock)
            _registers.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }

    public VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (offset > Length || (ulong)source.Length > Length - offset)
            return Errno.EINVAL;
        lock (_lock)
            source.CopyTo(_registers.AsSpan((int)offset));
        if (offset == CommandAt && source.Length >= sizeof(uint))
        {
            // A transfer waits for the client; nothing is locked meanwhile.
            var result = CarryOut();
            Store(ResultAt, (uint)result.Error);
        }

        return source.Length;
    }

    /// <summary>The device has gone a step of its migration.</summary>
    public void Note(MigrationState state)
    {
        var count = Load(PathAt);
        if (count >= MostPath)
            return;
        Store(PathAt + sizeof(uint) * (1 + (int)count), (uint)state);
        Store(PathAt, count + 1);
    }

    /// <summary>The device has been given a piece of a data stream.</summary>
    public void NoteLoaded(ReadOnlySpan<byte> data)
    {
        Store(LoadedAt, (uint)data.Length);
        lock (_lock)
            data[..Math.Min(data.Length, MostLoaded)].CopyTo(_registers.AsSpan(LoadedAt + sizeof(uint)));
    }

    public void WasReset(ResetCause cause)
    {
        if (cause is ResetCause.Open or ResetCause.Close or ResetCause.ClientLost)
            return;
        Store(ResetsAt, Load(ResetsAt) + 1);
        Store(ResetsAt + sizeof(uint), cause == ResetCause.PcieFlr ? 2u : 0);
    }

    /// <summary>Waits until the client says that the device is idle, if it was told to be busy.</summary>
    public async ValueTask<VfioResult> QuiesceAsync(CancellationToken cancellationToken)
    {
        if (!_isBusy || released is null)
            return VfioResult.Success;
        _isBusy = false;
        await EventFdWait.ForAsync(released, cancellationToken).ConfigureAwait(false);
        return _busyResult;
    }

    private VfioResult CarryOut()
    {
        var (iova, length, argument, slot) = (LoadLong(IovaAt), LoadLong(LengthAt), Load(ArgumentAt), (int)Load(SlotAt) & 3);
        if (length > MostTransfer)
            return Errno.EINVAL;
        switch (Names.DoorbellCommands.FirstOrDefault(command => command.Value == Load(CommandAt)).Key)
        {
            case "interrupt":
                return function.Lines.Fire(argument);
            case "write":
                return _dma?.Write(iova, Ramp((int)length)) ?? Errno.EFAULT;
            case "read":
                return ReadRamp(iova, (int)length);
            case "hold":
                return Hold(slot, iova, length, argument == 1 ? DmaAccess.Read : DmaAccess.Read | DmaAccess.Write);
            case "release":
                return Release(slot);
            case "touch":
                var held = Hold(slot, iova, length, DmaAccess.Read | DmaAccess.Write);
                return held.IsSuccess ? Release(slot) : held;
            case "fail-steps":
                StepFailure = (Errno)argument;
                return VfioResult.Success;
            case "fail-data":
                DataFailure = (Errno)argument;
                return VfioResult.Success;
            case "forget-path":
                Store(PathAt, 0);
                return VfioResult.Success;
            case "be-busy":
                return BeBusy((Errno)argument);
            default:
                return Errno.EOPNOTSUPP;
        }
    }

    // A device that holds memory lets go of it when it becomes idle, which is what an unmap waits for; it asks nobody else to wait.
    private VfioResult BeBusy(Errno result)
    {
        if (released is null)
            return Errno.EOPNOTSUPP;
        if (_slots.All(slot => slot is null))
            (_isBusy, _busyResult) = (true, result);
        else
            _releasing = ReleaseWhenIdleAsync(released);
        return VfioResult.Success;
    }

    private async Task ReleaseWhenIdleAsync(SafeFileHandle idle)
    {
        await EventFdWait.ForAsync(idle, CancellationToken.None).ConfigureAwait(false);
        ReleaseAll();
    }

    private void ReleaseAll()
    {
        for (var slot = 0; slot < _slots.Length; slot++)
            Release(slot);
    }

    private VfioResult ReadRamp(ulong iova, int length)
    {
        var bytes = new byte[length];
        var read = _dma?.Read(iova, bytes) ?? Errno.EFAULT;
        return read.IsSuccess && !bytes.AsSpan().SequenceEqual(Ramp(length)) ? Errno.EBADMSG : read;
    }

    // Page by page: a range may lie in several maps.
    private VfioResult Hold(int slot, ulong iova, ulong length, DmaAccess access)
    {
        if (_dma is null)
            return Errno.EFAULT;
        var segments = _slots[slot] = [];
        for (ulong done = 0; done < length; done += Page)
        {
            if (_dma.TryAcquire(iova + done, Math.Min(Page, length - done), access, out var segment))
            {
                segments.Add(segment);
                continue;
            }

            Release(slot);
            return Errno.EFAULT;
        }

        return VfioResult.Success;
    }

    private VfioResult Release(int slot)
    {
        if (Interlocked.Exchange(ref _slots[slot], null) is not { } segments)
            return Errno.EINVAL;
        foreach (var segment in segments)
            segment.Dispose();
        return VfioResult.Success;
    }

    private static byte[] Ramp(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)i)];

    private uint Load(int at)
    {
        lock (_lock)
            return BinaryPrimitives.ReadUInt32LittleEndian(_registers.AsSpan(at));
    }

    private ulong LoadLong(int at)
    {
        lock (_lock)
            return BinaryPrimitives.ReadUInt64LittleEndian(_registers.AsSpan(at));
    }

    private void Store(int at, uint value)
    {
        lock (_lock)
            BinaryPrimitives.WriteUInt32LittleEndian(_registers.AsSpan(at), value);
    }
}
