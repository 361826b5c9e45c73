namespace Vfio.Core.Migration;

/// <summary>A change of state that is under way, and what may break it off.</summary>
internal sealed class MigrationRequest(VariantCalls variant, CancellationToken cancellationToken) : IDisposable
{
    private readonly CancellationTokenSource _waits = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private readonly CancellationTokenSource _steps = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

    /// <summary>What the caller gives up with.</summary>
    public CancellationToken Caller => cancellationToken;

    /// <summary>For waiting: for a save to end, for the verdict of a load. A reset breaks it off.</summary>
    public CancellationToken Waits => _waits.Token;

    /// <summary>For a step of the variant: a reset leaves it to its end, as in the kernel; only the device's close breaks it off.</summary>
    public CancellationToken Steps => _steps.Token;

    /// <summary>The device was reset, or closed.</summary>
    public void Interrupt(bool isClose)
    {
        variant.Cancel(_waits);
        if (isClose)
            variant.Cancel(_steps);
    }

    public void Dispose()
    {
        _waits.Dispose();
        _steps.Dispose();
    }
}
