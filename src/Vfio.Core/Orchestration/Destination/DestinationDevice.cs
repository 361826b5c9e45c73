namespace Vfio.Core.Orchestration.Destination;

/// <summary>A device of the destination, on its way.</summary>
internal sealed class DestinationDevice(MigratingDevice device)
{
    public string Name => device.Name;

    public string Identity => device.Identity;

    public MigrationCapabilities Capabilities { get; } = device.Operations.Capabilities;

    public MigrationDataStream? Stream { get; private set; }

    /// <summary>Whether it has been asked to change its state.</summary>
    public bool IsTouched { get; private set; }

    /// <summary>Whether it has, or may have, run with what was loaded.</summary>
    public bool HasRun { get; private set; }

    public bool Has(MigrationCapabilities capability) => (Capabilities & capability) == capability;

    public async Task GoAsync(MigrationState state, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IsTouched = true;
        var result = await device.Operations.SetStateAsync(state, cancellationToken).ConfigureAwait(false);
        if (!result.IsSuccess)
            throw new MigrationStepException(result.Error, $"{Name} does not go to {state}: {result.Error}");
        if (result.Value is not { } stream)
            return;
        await DropStreamAsync().ConfigureAwait(false);
        Stream = stream;
    }

    /// <summary>Makes sure that it still has what was loaded: a reset takes that away, and leaves it in RUNNING.</summary>
    public async Task CheckLoadedAsync()
    {
        var state = await TryGetStateAsync(CancellationToken.None).ConfigureAwait(false);
        if (state != MigrationState.Stop)
        {
            throw new MigrationStepException(
                Errno.ENODEV, $"{new DeviceLeftIn(Name, state)} and no longer in {MigrationState.Stop}: it was reset");
        }
    }

    /// <summary>Lets it run: from here on the source's is out of date, unless it turns out that it never left STOP.</summary>
    public async Task RunAsync(MigrationState state)
    {
        HasRun = true;
        try
        {
            await GoAsync(state, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            HasRun = await TryGetStateAsync(CancellationToken.None).ConfigureAwait(false) != MigrationState.Stop;
            throw;
        }
    }

    public async Task WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (Stream is not { } stream)
            throw new MigrationStepException(Errno.EPROTO, $"{Name} has given no data stream");
        var result = await stream.WriteAsync(data, cancellationToken).ConfigureAwait(false);
        if (!result.IsSuccess)
            throw new MigrationStepException(result.Error, $"{Name} refuses the data: {result.Error}");
    }

    public async Task<MigrationState?> TryGetStateAsync(CancellationToken cancellationToken)
    {
        try
        {
            var state = await device.Operations.GetStateAsync(cancellationToken).ConfigureAwait(false);
            return state.IsSuccess ? state.Value : null;
        }
        catch (Exception)
        {
            // A device that does not say where it is, is reported as just that.
            return null;
        }
    }

    public async ValueTask DropStreamAsync()
    {
        var stream = Stream;
        Stream = null;
        if (stream is not null)
            await stream.DisposeAsync().ConfigureAwait(false);
    }
}
