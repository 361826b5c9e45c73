using System.Buffers;

namespace Vfio.Core.Tests.Variants;

// The example of docs/hooks.md on migrating, so that it compiles and does what the page says.

internal sealed class MigratesItsState(IVfioPciCore core) : VfioPciDevice(core), IMigration
{
    private static readonly byte[] Magic = "EXMP"u8.ToArray();
    private byte[] _loaded = [];
    private bool _runs = true;

    public byte[] State { get; private set; } = new byte[1024];

    public bool Runs => Volatile.Read(ref _runs);

    public override IMigration Migration => this;

    public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy | MigrationCapabilities.P2P;

    public ulong StopCopySize => (ulong)(Magic.Length + State.Length);

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        if (arc.From == MigrationState.Resuming)
            State = _loaded;
        Volatile.Write(ref _runs, arc.To == MigrationState.Running);
        return ValueTask.FromResult(VfioResult.Success);
    }

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        session.Saving!.Write(Magic);
        await session.Saving!.WriteAsync(State, cancellationToken);
        return VfioResult.Success;
    }

    public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        var start = await session.Resuming!.ReadAtLeastAsync(Magic.Length, cancellationToken);
        if (start.Buffer.Length < Magic.Length || !start.Buffer.Slice(0, Magic.Length).ToArray().AsSpan().SequenceEqual(Magic))
            return Errno.EINVAL;
        session.Resuming!.AdvanceTo(start.Buffer.GetPosition(Magic.Length));

        var state = await session.Resuming!.ReadAtLeastAsync(State.Length, cancellationToken);
        if (state.Buffer.Length < State.Length)
            return Errno.EINVAL;
        _loaded = state.Buffer.Slice(0, State.Length).ToArray();
        session.Resuming!.AdvanceTo(state.Buffer.GetPosition(State.Length));
        return VfioResult.Success;
    }

    void IMigration.OnReset()
    {
        _loaded = [];
        Volatile.Write(ref _runs, true);
    }
}
