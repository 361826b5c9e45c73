namespace Vfio.Core.Mediated;

/// <summary>The interrupt lines of a device that has none but its pin. Thread-safe.</summary>
internal sealed class MediatedLines : IInterruptLines
{
    private readonly Lock _changing = new();
    private volatile bool _asserted;
    private Action? _onAsserted;

    public bool DynamicMsix => false;

    public bool IntxAsserted => _asserted;

    public int Count(IrqIndex index) => index == IrqIndex.Intx ? 1 : 0;

    public VfioResult<int> Enable(IrqIndex index, int vectors) => index == IrqIndex.Intx ? 1 : Errno.EINVAL;

    public void Disable(IrqIndex index)
    {
    }

    public VfioResult SetTrigger(IrqIndex index, int vector, Microsoft.Win32.SafeHandles.SafeFileHandle? eventFd) => Errno.EINVAL;

    public void OnIntxAsserted(Action? asserted)
    {
        lock (_changing)
            _onAsserted = asserted;
    }

    /// <summary>Drives the line; who listens hears of each rise.</summary>
    public void Drive(bool asserted)
    {
        Action? rose;
        lock (_changing)
        {
            rose = asserted && !_asserted ? _onAsserted : null;
            _asserted = asserted;
        }

        // Outside the lock: the listener asks for the line.
        rose?.Invoke();
    }
}
