using System.Buffers.Binary;
using Vfio;

namespace Gpio;

/// <summary>
/// How the device migrates: the bare layout of libvfio-user's sample, the sixteen counts as 4 bytes each, as often as they were saved; the
/// last ones count. Where the interrupt is in use, 4 bytes more end the stream, which that sample has no need of.
/// </summary>
internal sealed class GpioMigration(Pins pins) : IMigration
{
    private const int CountsSize = Pins.Number * sizeof(uint), FlagsSize = sizeof(uint);
    private const long Never = -1;
    private const uint Enabled = 1, Pending = 2;
    private long _copied = Never;
    private (byte[] Counts, uint Flags)? _loaded;

    public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy;

    public PrecopyInfo PrecopyInfo => Volatile.Read(ref _copied) switch
    {
        Never => new(CountsSize, 0),
        var copied => new(0, copied == pins.Changes ? 0 : (ulong)CountsSize),
    };

    public ulong StopCopySize => pins.UsesInterrupt ? CountsSize + FlagsSize : (ulong)CountsSize;

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        switch (arc.From, arc.To)
        {
            case (MigrationState.Running, MigrationState.PreCopy):
                Volatile.Write(ref _copied, Never);
                break;
            case (MigrationState.Stop, MigrationState.Resuming):
                _loaded = null;
                break;
            case (MigrationState.Resuming, MigrationState.Stop) when _loaded is var (counts, flags):
                pins.Load(counts, (flags & Enabled) != 0, (flags & Pending) != 0);
                _loaded = null;
                break;
        }

        return ValueTask.FromResult(VfioResult.Success);
    }

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        var output = session.Saving!;
        Volatile.Write(ref _copied, pins.Changes);
        var (enabled, pending) = pins.Save(output.GetSpan(CountsSize));
        output.Advance(CountsSize);
        if (phase == MigrationState.StopCopy && (enabled || pending))
        {
            BinaryPrimitives.WriteUInt32LittleEndian(output.GetSpan(FlagsSize), (enabled ? Enabled : 0) | (pending ? Pending : 0));
            output.Advance(FlagsSize);
        }

        await output.FlushAsync(cancellationToken);
        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        var input = session.Resuming!;
        byte[] pending = new byte[CountsSize], whole = new byte[CountsSize];
        var (held, any) = (0, false);
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            foreach (var part in read.Buffer)
            {
                for (var rest = part.Span; !rest.IsEmpty;)
                {
                    var count = Math.Min(rest.Length, CountsSize - held);
                    rest[..count].CopyTo(pending.AsSpan(held));
                    rest = rest[count..];
                    held += count;
                    if (held < CountsSize)
                        continue;
                    (whole, pending, held, any) = (pending, whole, 0, true);
                }
            }

            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        if (!any || held is not (0 or FlagsSize))
            return Errno.EINVAL;
        var flags = held == 0 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(pending);
        if ((flags & ~(Enabled | Pending)) != 0)
            return Errno.EINVAL;
        _loaded = (whole, flags);
        return VfioResult.Success;
    }

    public void OnReset()
    {
        _loaded = null;
        Volatile.Write(ref _copied, Never);
    }
}
