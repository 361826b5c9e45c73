using System.Buffers;

namespace Vfio.WireVectors.Setups;

/// <summary>A device that saves four bytes, takes any, and fails when its doorbell says so.</summary>
internal sealed class SetupMigration(Doorbell doorbell) : IMigration
{
    private static readonly byte[] State = [0, 1, 2, 3];

    public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy;

    public ulong StopCopySize => (ulong)State.Length;

    public async ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        var idle = await doorbell.QuiesceAsync(cancellationToken).ConfigureAwait(false);
        if (!idle.IsSuccess)
            return idle;
        if (doorbell.StepFailure != Errno.None)
            return doorbell.StepFailure;
        doorbell.Note(arc.To);
        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        if (doorbell.DataFailure != Errno.None)
            return doorbell.DataFailure;
        await session.Saving!.WriteAsync(State, cancellationToken).ConfigureAwait(false);
        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await session.Resuming!.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (!read.Buffer.IsEmpty)
            {
                if (doorbell.DataFailure != Errno.None)
                    return doorbell.DataFailure;
                doorbell.NoteLoaded(read.Buffer.ToArray());
            }

            session.Resuming.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return VfioResult.Success;
        }
    }
}
