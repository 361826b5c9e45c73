using System.Collections.Concurrent;

namespace Vfio.Core.Tests.Migration;

/// <summary>A variant's migration that does what a test says, and keeps a record of what it was asked.</summary>
internal sealed class ScriptedMigration(MigrationCapabilities capabilities) : IMigration
{
    public const MigrationCapabilities All = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy;

    private readonly TaskCompletionSource _saved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _resets;

    public MigrationCapabilities Capabilities => capabilities;

    public ConcurrentQueue<MigrationArc> Arcs { get; } = [];

    public ConcurrentQueue<MigrationState> Saves { get; } = [];

    public Func<MigrationArc, MigrationSession?, CancellationToken, ValueTask<VfioResult>> OnStep { get; set; } = (_, _, _) => default;

    public Func<MigrationSession, MigrationState, CancellationToken, ValueTask<VfioResult>> OnSave { get; set; } = (_, _, _) => default;

    public Func<MigrationSession, CancellationToken, ValueTask<VfioResult>> OnLoad { get; set; } = Streams.DrainAsync;

    public Func<PrecopyInfo> OnPrecopyInfo { get; set; } = () => default;

    public Func<ulong> OnStopCopySize { get; set; } = () => 0;

    /// <summary>Completes when the first save has returned.</summary>
    public Task Saved => _saved.Task;

    public Action WhenReset { get; set; } = () => { };

    public int Resets => Volatile.Read(ref _resets);

    public PrecopyInfo PrecopyInfo => OnPrecopyInfo();

    public ulong StopCopySize => OnStopCopySize();

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        Arcs.Enqueue(arc);
        return OnStep(arc, session, cancellationToken);
    }

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        Saves.Enqueue(phase);
        try
        {
            return await OnSave(session, phase, cancellationToken);
        }
        finally
        {
            _saved.TrySetResult();
        }
    }

    public ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
        => OnLoad(session, cancellationToken);

    public void OnReset()
    {
        Interlocked.Increment(ref _resets);
        WhenReset();
    }
}
