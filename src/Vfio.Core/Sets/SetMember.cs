namespace Vfio.Core.Sets;

/// <summary>A function of <see cref="DeviceSets"/>.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle is never asked for holds nothing that needs disposing.")]
internal sealed class SetMember(IPciFunction function)
{
    private volatile IPciFunction _function = function;
    private volatile CoreSession? _session;
    private volatile bool _needsReset;

    /// <summary>The function, as the latest core over it has it.</summary>
    public IPciFunction Function
    {
        get => _function;
        set => _function = value;
    }

    /// <summary>
    /// Held while the device is opened, closed, or reset with its slot or bus: the kernel's <c>dev_set->lock</c>, for one function. It
    /// comes before every other lock. Opening and closing wait for it; a hot reset, which needs several, only tries.
    /// </summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>The open device; null while it is closed. Changes with <see cref="Turn"/> held.</summary>
    public CoreSession? Session
    {
        get => _session;
        set => _session = value;
    }

    /// <summary>It was closed without a reset that worked, and what its last client left is still in it.</summary>
    public bool NeedsReset
    {
        get => _needsReset;
        set => _needsReset = value;
    }
}
