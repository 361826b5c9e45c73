namespace Vfio.Hosting.Devices;

/// <summary>A driver's migration, behind its device's guard.</summary>
internal sealed class GuardedMigration(GuardedDevice device, IMigration inner) : IMigration
{
    public MigrationCapabilities Capabilities
    {
        get
        {
            try
            {
                return inner.Capabilities;
            }
            catch (Exception e)
            {
                device.Threw(nameof(IMigration.Capabilities), e);
                return MigrationCapabilities.None;
            }
        }
    }

    public ulong StopCopySize
    {
        get
        {
            ThrowIfBroken();
            try
            {
                return inner.StopCopySize;
            }
            catch (Exception e)
            {
                device.Threw(nameof(IMigration.StopCopySize), e);
                throw;
            }
        }
    }

    // No time limit: how long a step takes is the stream's business, and the caller can cancel it.
    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
        => RunAsync(
            $"{nameof(IMigration.StepAsync)} {arc.From} to {arc.To}", () => inner.StepAsync(arc, session, cancellationToken), cancellationToken);

    public ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
        => RunAsync(nameof(IMigration.SaveAsync), () => inner.SaveAsync(session, phase, cancellationToken), cancellationToken);

    public ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
        => RunAsync(nameof(IMigration.LoadAsync), () => inner.LoadAsync(session, cancellationToken), cancellationToken);

    public PrecopyInfo PrecopyInfo
    {
        get
        {
            ThrowIfBroken();
            try
            {
                return inner.PrecopyInfo;
            }
            catch (Exception e)
            {
                device.Threw(nameof(IMigration.PrecopyInfo), e);
                throw;
            }
        }
    }

    public void OnReset()
    {
        try
        {
            inner.OnReset();
        }
        catch (Exception e)
        {
            device.Threw(nameof(IMigration.OnReset), e);
        }
    }

    // Every number says something of the device; of this the core makes EIO.
    private void ThrowIfBroken()
    {
        if (device.Fault is { } fault)
            throw new VfioException(Errno.EIO, fault);
    }

    private async ValueTask<VfioResult> RunAsync(string member, Func<ValueTask<VfioResult>> work, CancellationToken cancellationToken)
    {
        if (device.Fault is not null)
            return Errno.EIO;
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e)
        {
            return device.Threw(member, e);
        }
    }
}

/// <summary>A driver's DMA logging, behind its device's guard. A log that fails must be taken for all dirty, which EIO says.</summary>
internal sealed class GuardedDmaLogging(GuardedDevice device, IDmaLogging inner) : IDmaLogging
{
    public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
    {
        if (device.Fault is not null)
            return Errno.EIO;
        try
        {
            return inner.Start(ranges, ref pageSize);
        }
        catch (Exception e)
        {
            return device.Threw("DmaLogging.Start", e);
        }
    }

    public VfioResult Stop()
    {
        if (device.Fault is not null)
            return Errno.EIO;
        try
        {
            return inner.Stop();
        }
        catch (Exception e)
        {
            return device.Threw("DmaLogging.Stop", e);
        }
    }

    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        if (device.Fault is not null)
            return Errno.EIO;
        try
        {
            return inner.Report(iova, length, pageSize, bitmap);
        }
        catch (Exception e)
        {
            return device.Threw("DmaLogging.Report", e);
        }
    }
}

/// <summary>A driver's profiles, behind its device's guard.</summary>
internal sealed class GuardedProfiles(GuardedDevice device, IProfiles inner) : IProfiles
{
    private static readonly IReadOnlyList<string> OnlyNative = [IProfiles.Native];

    public IReadOnlyList<string> Available
    {
        get
        {
            try
            {
                return inner.Available is { Count: > 0 } available ? available : OnlyNative;
            }
            catch (Exception e)
            {
                device.Threw("Profiles.Available", e);
                return OnlyNative;
            }
        }
    }

    public string Current
    {
        get
        {
            try
            {
                return inner.Current ?? IProfiles.Native;
            }
            catch (Exception e)
            {
                device.Threw("Profiles.Current", e);
                return IProfiles.Native;
            }
        }
    }

    public VfioResult Select(string name)
    {
        if (device.Fault is not null)
            return Errno.EIO;
        try
        {
            return inner.Select(name);
        }
        catch (Exception e)
        {
            return device.Threw("Profiles.Select", e);
        }
    }
}
