namespace Vfio.Core.Tests.Stress;

/// <summary>A variant that checks its hooks, and uses the device from inside them.</summary>
internal sealed class StressDevice : VfioPciDevice
{
    private readonly Violations _violations;
    private readonly StressFunction _function;
    private readonly bool _accessesInHooks;
    private int _inHook;
    private volatile bool _prepared;

    public StressDevice(StressFunction function, Violations violations, bool accessesInHooks)
        : base(new VfioPciCore(function))
    {
        _function = function;
        _violations = violations;
        _accessesInHooks = accessesInHooks;
        function.IsPrepared = () => _prepared;
    }

    protected override void ResetPrepare(ResetCause cause)
    {
        Begin();
        _violations.Check(!_prepared, $"{cause}: prepared twice");
        _prepared = true;
        Access();
        End();
    }

    protected override void ResetDone(ResetCause cause)
    {
        Begin();
        _violations.Check(_prepared, $"{cause}: done without being prepared");
        Access();
        _prepared = false;
        End();
    }

    private void Begin() => _violations.Check(Interlocked.Increment(ref _inHook) == 1, "two hooks at a time");

    private void End() => Interlocked.Decrement(ref _inHook);

    // What a hook may do: regions through the core, from the thread that it was called on.
    private void Access()
    {
        if (!_accessesInHooks)
            return;
        Span<byte> bytes = stackalloc byte[16];
        Core.Read(RegionIndex.Bar0, 0x40, bytes[..8]);
        Core.Write(RegionIndex.Bar0, 0x48, bytes[..8]);
        Core.Read(RegionIndex.Config, 0, bytes);
        Core.Write(RegionIndex.Config, (ulong)_function.Vendor + 4, bytes[..4]);
        Core.Read(RegionIndex.Config, (ulong)_function.Power, bytes[..8]);
    }
}
