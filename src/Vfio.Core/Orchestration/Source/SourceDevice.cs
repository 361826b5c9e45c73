namespace Vfio.Core.Orchestration.Source;

/// <summary>A device of the source, on its way.</summary>
internal sealed class SourceDevice(MigratingDevice device, uint index)
{
    // A round reads at least so much of a device, if it has it: a round costs questions.
    private const ulong SmallestRound = 4 << 20;
    private PrecopyInfo _remaining;
    private bool _tellsRemaining;

    public string Name => device.Name;

    public string Identity => device.Identity;

    public uint Index => index;

    public IMigrationOps Operations => device.Operations;

    public MigrationCapabilities Capabilities { get; } = device.Operations.Capabilities;

    public MigrationDataStream? Stream { get; private set; }

    /// <summary>Whether it has been asked to change its state.</summary>
    public bool IsTouched { get; private set; }

    /// <summary>Bytes read of it, and of those the ones of the round that is under way or was last.</summary>
    public ulong Bytes { get; private set; }

    public ulong RoundBytes { get; private set; }

    public ulong InitialBytes => _remaining.InitialBytes;

    // A device that cannot be asked changes as much as it just did.
    public ulong DirtyBytes => _tellsRemaining ? _remaining.DirtyBytes : RoundBytes;

    public bool HasNewInitial => _remaining.HasNewInitial;

    public ulong StopCopyBytes { get; private set; }

    /// <summary>How much a round reads at most: a device that is faster than its reader must not make one last for ever.</summary>
    public ulong RoundLimit => Math.Max(SmallestRound, Math.Max(Sum(_remaining.InitialBytes, _remaining.DirtyBytes), StopCopyBytes));

    public static ulong Sum(ulong a, ulong b) => ulong.MaxValue - a < b ? ulong.MaxValue : a + b;

    public bool Has(MigrationCapabilities capability) => (Capabilities & capability) == capability;

    public async Task GoAsync(MigrationState state, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IsTouched = true;
        var result = await Operations.SetStateAsync(state, cancellationToken).ConfigureAwait(false);
        if (!result.IsSuccess)
            throw new MigrationStepException(result.Error, $"{Name} does not go to {state}: {result.Error}");
        if (result.Value is not { } stream)
            return;
        await DropStreamAsync().ConfigureAwait(false);
        Stream = stream;
    }

    public async Task<MigrationState> GetStateAsync(CancellationToken cancellationToken)
    {
        var state = await Operations.GetStateAsync(cancellationToken).ConfigureAwait(false);
        return state.IsSuccess
            ? state.Value
            : throw new MigrationStepException(state.Error, $"{Name} does not tell its state: {state.Error}");
    }

    public void BeginRound() => RoundBytes = 0;

    /// <summary>Reads of its data stream.</summary>
    /// <returns>0: no more, or no more for now.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> destination, bool isPrecopy, CancellationToken cancellationToken)
    {
        if (Stream is not { } stream)
            throw new MigrationStepException(Errno.EPROTO, $"{Name} has given no data stream");
        var read = await stream.ReadAsync(destination, cancellationToken).ConfigureAwait(false);

        // PRE_COPY ends in ENOMSG; some devices answer 0 instead.
        if (isPrecopy && read.Error == Errno.ENOMSG)
            return 0;
        if (!read.IsSuccess)
            throw new MigrationStepException(read.Error, $"{Name} cannot be read: {read.Error}");
        if (read.Value < 0 || read.Value > destination.Length)
            throw new MigrationStepException(Errno.EIO, $"{Name} answers a read of {destination.Length} bytes with {read.Value}");
        Bytes += (uint)read.Value;
        RoundBytes += (uint)read.Value;
        return read.Value;
    }

    /// <summary>Asks what there is still to read; for devices that cannot be asked the answer is what they had in the last round.</summary>
    public async Task AskRemainingAsync(CancellationToken cancellationToken)
    {
        var size = await Operations.GetDataSizeAsync(cancellationToken).ConfigureAwait(false);
        StopCopyBytes = size.IsSuccess ? size.Value
            : IsAbsent(size.Error) ? 0ul : throw new MigrationStepException(size.Error, $"{Name} does not tell its size: {size.Error}");
        if (Stream is null)
            return;
        var info = await Stream.GetPrecopyInfoAsync(cancellationToken).ConfigureAwait(false);
        _tellsRemaining = info.IsSuccess;
        _remaining = info.IsSuccess ? info.Value
            : IsAbsent(info.Error) ? default
            : throw new MigrationStepException(info.Error, $"{Name} does not tell what there is to read: {info.Error}");
    }

    public async ValueTask DropStreamAsync()
    {
        var stream = Stream;
        Stream = null;
        if (stream is not null)
            await stream.DisposeAsync().ConfigureAwait(false);
    }

    private static bool IsAbsent(Errno error) => error is Errno.ENOTTY or Errno.EOPNOTSUPP or Errno.ENOSYS;
}
