using System.Buffers.Binary;
using Vfio;

namespace SharedPages;

/// <summary>
/// How the device migrates: the bare layout of libvfio-user's sample, which its client checks. PRE_COPY yields the pages once; STOP_COPY
/// the pages again, and the 8 bytes of the time register. So a stream is the pages, once or more, and a time: the last of each counts.
/// </summary>
internal sealed class SharedPagesMigration(SharedMemoryRegion pages, Alarm alarm) : IMigration
{
    private const int StateSize = PageLayout.Size + TimeRegister.Length;
    private volatile bool _isCopied;
    private byte[]? _loaded;

    public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy;

    /// <remarks>
    /// The pages are all of the initial bytes. Writes through a mapping leave no trace, so none are counted as dirty: STOP_COPY brings all
    /// pages in any case.
    /// </remarks>
    public PrecopyInfo PrecopyInfo => new(_isCopied ? 0 : (ulong)PageLayout.Size, 0);

    public ulong StopCopySize => StateSize;

    public async ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        switch (arc.From, arc.To)
        {
            case (MigrationState.Running, MigrationState.PreCopy):
                _isCopied = false;
                break;
            case (MigrationState.Running, MigrationState.Stop) or (MigrationState.PreCopy, MigrationState.StopCopy):
                await alarm.StopAsync(cancellationToken);
                break;
            case (MigrationState.Stop, MigrationState.Resuming):
                _loaded = null;
                break;
            case (MigrationState.Resuming, MigrationState.Stop):
                Apply();
                break;
            case (MigrationState.Stop, MigrationState.Running):
                // A time that has passed on the way is not lost: the alarm goes off now.
                alarm.Start();
                break;
        }

        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        var output = session.Saving!;
        pages.CopyTo(0, output.GetSpan(PageLayout.Size)[..PageLayout.Size]);
        output.Advance(PageLayout.Size);
        if (phase == MigrationState.PreCopy)
        {
            _isCopied = true;
        }
        else
        {
            BinaryPrimitives.WriteInt64LittleEndian(output.GetSpan(TimeRegister.Length), alarm.Seconds);
            output.Advance(TimeRegister.Length);
        }

        await output.FlushAsync(cancellationToken);
        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        var input = session.Resuming!;
        var pending = new byte[StateSize];
        var held = 0;
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            foreach (var part in read.Buffer)
                held = Take(part.Span, pending, held);
            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        if (held != StateSize)
            return Errno.EINVAL;
        _loaded = pending;
        return VfioResult.Success;
    }

    public void OnReset()
    {
        _loaded = null;
        _isCopied = false;
    }

    // Whole pages that more than a time follows were those of PRE_COPY: the next ones take their place.
    private static int Take(ReadOnlySpan<byte> part, byte[] pending, int held)
    {
        while (!part.IsEmpty)
        {
            if (held == StateSize)
            {
                pending.AsSpan(PageLayout.Size, TimeRegister.Length).CopyTo(pending);
                held = TimeRegister.Length;
            }

            var count = Math.Min(part.Length, StateSize - held);
            part[..count].CopyTo(pending.AsSpan(held));
            part = part[count..];
            held += count;
        }

        return held;
    }

    private void Apply()
    {
        if (_loaded is not { } state)
            return;
        pages.CopyFrom(0, state.AsSpan(0, PageLayout.Size));
        alarm.Seconds = BinaryPrimitives.ReadInt64LittleEndian(state.AsSpan(PageLayout.Size));
        _loaded = null;
    }
}
