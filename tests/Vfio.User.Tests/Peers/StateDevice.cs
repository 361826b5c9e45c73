using System.Buffers;
using Vfio.Core;

namespace Vfio.User.Tests.Peers;

/// <summary>
/// A device that is nothing but state and migrates it through the core's service: PRE_COPY yields the first half, STOP_COPY all of it.
/// Another length than its own is refused.
/// </summary>
internal sealed class StateDevice : VfioDevice, IMigration
{
    private readonly MigrationService _service;

    public StateDevice(int size)
    {
        State = new byte[size];
        _service = new MigrationService(this);
    }

    public byte[] State { get; private set; }


    public override IMigration? Migration => this;

    public override IMigrationOps? MigrationOps => _service;

    public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy;

    public ulong StopCopySize => (ulong)State.Length;

    public PrecopyInfo PrecopyInfo => default;

    public override DeviceInfo Info => new(DeviceFlags.Reset, 9, 5);

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken) => ResetAsync(ResetCause.Open, default);

    public override async ValueTask CloseAsync(ResetCause cause) => await ResetAsync(cause, default);

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        RaiseWasReset(cause);
        return new(VfioResult.Success);
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => RegionInfo.Absent;

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => new IrqInfo(IrqFlags.None, 0);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => Errno.EINVAL;

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => Errno.EINVAL;

    public override VfioResult<int> SetIrqs(in IrqSet set) => Errno.EINVAL;

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
        => new(VfioResult.Success);

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        var end = phase == MigrationState.PreCopy ? State.Length / 2 : State.Length;
        for (var at = 0; at < end;)
        {
            var room = session.Saving!.GetMemory(1);
            var count = Math.Min(room.Length, end - at);
            State.AsMemory(at, count).CopyTo(room);
            session.Saving.Advance(count);
            at += count;
            await session.Saving.FlushAsync(cancellationToken);
        }

        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        var loaded = new ArrayBufferWriter<byte>();
        while (true)
        {
            var read = await session.Resuming!.ReadAsync(cancellationToken);
            foreach (var piece in read.Buffer)
                loaded.Write(piece.Span);
            session.Resuming.AdvanceTo(read.Buffer.End);
            if (loaded.WrittenCount > State.Length)
                return Errno.E2BIG;
            if (read.IsCompleted)
                break;
        }

        if (loaded.WrittenCount != State.Length)
            return Errno.EBADMSG;
        State = loaded.WrittenSpan.ToArray();
        return VfioResult.Success;
    }
}
