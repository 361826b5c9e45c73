namespace Vfio.Core.Tests.Orchestration;

/// <summary>A device that keeps to the state machine, step by step, and to the rules of its data streams.</summary>
internal sealed class FakeDevice : IMigrationOps
{
    private readonly FakeWorld _world;
    private int _nextPrecopy;

    public FakeDevice(FakeWorld world, string name, MigrationCapabilities capabilities, bool isSource)
    {
        (_world, Name, Capabilities, IsSource) = (world, name, capabilities, isSource);
        world.Add(this);
    }

    public string Name { get; }

    public MigrationCapabilities Capabilities { get; }

    public bool IsSource { get; }

    public MigrationState State { get; private set; } = MigrationState.Running;

    /// <summary>What is read while it runs, one piece a round; nothing behind the last.</summary>
    public IReadOnlyList<byte[]> PrecopyPieces { get; init; } = [];

    /// <summary>Makes the pieces in place of them.</summary>
    public Func<int, byte[]?>? MakePiece { get; init; }

    public byte[] StopCopyData { get; init; } = [];

    public Func<int, PrecopyInfo>? Info { get; init; }

    /// <summary>What it answers at the end of a round: ENOMSG, or as some do, 0.</summary>
    public bool EndsRoundsWithZero { get; init; }

    public bool LacksInfo { get; init; }

    public ulong? DataSize { get; init; }

    public Action<int>? OnRead { get; init; }

    public MemoryStream Emitted { get; } = new();

    public MemoryStream Accepted { get; } = new();

    public bool HasLoaded { get; private set; }

    public int OpenStreams { get; set; }

    public int Round => _nextPrecopy;

    public bool IsRunning => State is MigrationState.Running or MigrationState.RunningP2P or MigrationState.PreCopy or MigrationState.PreCopyP2P;

    /// <summary>The sessions so far: a stream of an earlier one answers ENODEV.</summary>
    public int Session { get; private set; }

    /// <summary>How many bytes make the whole; what a device finds out in RESUMING to STOP.</summary>
    public int? Whole { get; set; }

    /// <summary>A reset from elsewhere: RUNNING, with nothing of what was.</summary>
    public void Reset()
    {
        State = MigrationState.Running;
        HasLoaded = false;
        Session++;
    }

    public Errno Begin(string operation) => _world.Begin(this, operation);

    public byte[]? NextPiece() => MakePiece is { } make ? make(_nextPrecopy++)
        : _nextPrecopy < PrecopyPieces.Count ? PrecopyPieces[_nextPrecopy++] : null;

    public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken)
    {
        var error = Enter("get state", cancellationToken);
        return new(error == Errno.None ? new VfioResult<MigrationState>(State) : error);
    }

    public ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
    {
        MigrationDataStream? stream = null;
        if (FakeArcs.Path(Capabilities, State, state) is not { } path)
            return new(Errno.EINVAL);
        foreach (var next in path)
        {
            // Given up or failed between two steps: some state on the way.
            var error = Enter($"{State} to {next}", cancellationToken);
            if (error != Errno.None)
                return new(error);
            if (State == MigrationState.Resuming && Whole is { } whole && Accepted.Length != whole)
                return new(Errno.EINVAL);
            stream = Step(next);
        }

        return new(new VfioResult<MigrationDataStream?>(stream));
    }

    public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken)
    {
        var error = Enter("get size", cancellationToken);
        return new(error == Errno.None ? new VfioResult<ulong>(DataSize ?? (ulong)StopCopyData.Length) : error);
    }

    public ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken)
        => new(LacksInfo ? Errno.ENOTTY : Enter("enable info", cancellationToken));

    public Errno Enter(string operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var error = Begin(operation);
        cancellationToken.ThrowIfCancellationRequested();
        return error;
    }

    private FakeStream? Step(MigrationState next)
    {
        var from = State;
        var wasSaving = IsSaving(from);
        if (from == MigrationState.Resuming)
            HasLoaded = true;
        State = next;
        if (wasSaving != IsSaving(next) || from == MigrationState.Resuming || next == MigrationState.Resuming)
            Session++;
        _world.Moved(this, from, next);
        return next == MigrationState.Resuming ? new FakeStream(this, isSaving: false)
            : IsSaving(next) && !wasSaving ? new FakeStream(this, isSaving: true) : null;
    }

    private static bool IsSaving(MigrationState state)
        => state is MigrationState.PreCopy or MigrationState.PreCopyP2P or MigrationState.StopCopy;
}
