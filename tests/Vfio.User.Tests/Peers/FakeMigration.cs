namespace Vfio.User.Tests.Peers;

/// <summary>
/// Migration of a <see cref="TestDevice"/>, which goes from each state to each: PRE_COPY yields <see cref="Initial"/>, STOP_COPY
/// <see cref="Last"/>; what is written in RESUMING is kept. Hooks change what a test is about.
/// </summary>
internal sealed class FakeMigration : IMigrationOps
{
    private FakeStream? _stream;

    public byte[] Initial { get; set; } = [];

    public byte[] Last { get; set; } = [];

    public List<byte> Written { get; } = [];

    public MigrationState State { get; set; } = MigrationState.Running;

    public MigrationCapabilities Capabilities { get; set; } = MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy;

    public PrecopyInfo Precopy { get; set; } = new(0x11, 0x22, true);

    public ulong DataSize { get; set; } = 0x1234567890;

    public Func<MigrationState, CancellationToken, ValueTask<VfioResult>>? OnSet { get; set; }

    /// <summary>What a read waits for.</summary>
    public Func<CancellationToken, Task>? OnRead { get; set; }

    public Func<byte[], VfioResult>? OnWrite { get; set; }

    /// <summary>Streams that were begun, and those of them that nobody has given up.</summary>
    public (int Begun, int Alive) Streams { get; private set; }

    public bool HasInfoV2 { get; private set; }

    public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken) => new(State);

    public async ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
    {
        if (OnSet is { } hook && await hook(state, cancellationToken) is { IsSuccess: false } refused)
            return refused.Error;
        var former = State;
        State = state;
        var wasSaving = former is MigrationState.PreCopy or MigrationState.StopCopy;
        switch (state)
        {
            case MigrationState.PreCopy when !wasSaving:
                return Begin(new FakeStream(this, true, Initial));
            case MigrationState.StopCopy when !wasSaving:
                return Begin(new FakeStream(this, true, Last));
            case MigrationState.StopCopy when former == MigrationState.PreCopy:
                _stream!.Append(Last);
                return new VfioResult<MigrationDataStream?>((MigrationDataStream?)null);
            case MigrationState.Resuming when former != MigrationState.Resuming:
                return Begin(new FakeStream(this, false, []));
            default:
                return new VfioResult<MigrationDataStream?>((MigrationDataStream?)null);
        }
    }

    public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken) => new(DataSize);

    public ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken)
    {
        HasInfoV2 = true;
        return new(VfioResult.Success);
    }

    /// <summary>The device is reset: its stream is dead.</summary>
    public void Reset()
    {
        State = MigrationState.Running;
        _stream?.Kill();
    }

    private VfioResult<MigrationDataStream?> Begin(FakeStream stream)
    {
        _stream = stream;
        Streams = (Streams.Begun + 1, Streams.Alive + 1);
        return stream;
    }

    private sealed class FakeStream(FakeMigration migration, bool isSaving, byte[] data) : MigrationDataStream
    {
        private readonly Queue<byte> _data = new(data);
        private bool _isDead;

        public override bool IsSaving => isSaving;

        public void Append(byte[] more)
        {
            foreach (var one in more)
                _data.Enqueue(one);
        }

        public void Kill() => _isDead = true;

        public override async ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            Assert.NotEqual(0, destination.Length);
            if (migration.OnRead is { } hook)
                await hook(cancellationToken);
            if (_isDead)
                return Errno.ENODEV;
            if (_data.Count == 0)
                return migration.State == MigrationState.StopCopy ? 0 : Errno.ENOMSG;

            // Some at a time, as a pipe gives them.
            var count = Math.Min(Math.Min(_data.Count, destination.Length), 3);
            for (var i = 0; i < count; i++)
                destination.Span[i] = _data.Dequeue();
            return count;
        }

        public override ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
        {
            Assert.NotEqual(0, source.Length);
            if (_isDead)
                return new(Errno.ENODEV);
            if (migration.OnWrite is { } hook && hook(source.ToArray()) is { IsSuccess: false } refused)
                return new(refused);
            migration.Written.AddRange(source.Span);
            return new(VfioResult.Success);
        }

        public override ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
        {
            if (_isDead)
                return new(Errno.ENODEV);
            return new(migration.State == MigrationState.PreCopy ? migration.Precopy : new VfioResult<PrecopyInfo>(Errno.EINVAL));
        }

        public override ValueTask DisposeAsync()
        {
            migration.Streams = (migration.Streams.Begun, migration.Streams.Alive - 1);
            return ValueTask.CompletedTask;
        }
    }
}
