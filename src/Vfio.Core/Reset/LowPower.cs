using Microsoft.Win32.SafeHandles;
using Vfio.Core.Interrupts;
using Vfio.Native;

namespace Vfio.Core.Reset;

/// <summary>
/// The client allows the function to sleep: it sleeps at once, in D3hot where it can, and whatever comes to it wakes it. Thread-safe.
/// </summary>
/// <remarks>
/// The kernel drops a reference, and its runtime power management suspends the function, with a delay, at each time that nothing uses it.
/// Here it sleeps once for each time that the client asks: after an access has woken it, it stays awake. Source: the kernel's
/// <c>vfio_pci_runtime_pm_entry</c> and <c>vfio_pci_core_runtime_suspend</c>.
/// </remarks>
internal sealed class LowPower(AccessGate gate, PowerControl power, InterruptController interrupts, Action cancelTransfers)
{
    private bool _isEngaged;
    private bool _unmasksIntx;
    private volatile bool _isOver;
    private SafeFileHandle? _wakeUp;

    /// <summary>Enters low power.</summary>
    /// <param name="wakeUp">
    /// Signalled when the function is woken, and that ends low power; owned from here on. Null: it lasts until <see cref="Exit"/>.
    /// </param>
    /// <returns>EINVAL: it was entered before.</returns>
    public VfioResult Enter(SafeFileHandle? wakeUp)
    {
        var entered = gate.EnterAlone(cancelTransfers);
        var sleeps = false;
        try
        {
            if (_isEngaged || _isOver)
            {
                wakeUp?.Dispose();
                return Errno.EINVAL;
            }

            _isEngaged = true;
            _wakeUp = wakeUp;
            // Who holds the gate already is a variant's hook, which has accesses of its own to make.
            if (!entered || !power.MaySleep)
                return VfioResult.Success;
            // A client may have taken it to D3hot itself: what a function loses there is restored before it is saved anew.
            power.Set(PowerControl.D0);
            power.Set(PowerControl.D3Hot);
            _unmasksIntx = interrupts.MaskIntx();
            sleeps = true;
            return VfioResult.Success;
        }
        catch
        {
            Disengage()?.Dispose();
            throw;
        }
        finally
        {
            if (sleeps)
                gate.ExitAsleep(Wake);
            else
                gate.ExitAlone(entered);
        }
    }

    /// <summary>Leaves low power, if the function is in it. Whoever asks has woken it.</summary>
    public void Exit()
    {
        var entered = gate.EnterAlone(cancelTransfers);
        Disengage()?.Dispose();
        gate.ExitAlone(entered);
    }

    /// <summary>
    /// The device closes: waking it tells nobody, and it does not fall asleep again. Called once more with the gate held alone, for
    /// somebody who was entering meanwhile.
    /// </summary>
    public void Close()
    {
        _isOver = true;
        Interlocked.Exchange(ref _wakeUp, null)?.Dispose();
    }

    private SafeFileHandle? Disengage()
    {
        _isEngaged = false;
        return Interlocked.Exchange(ref _wakeUp, null);
    }

    private void Wake()
    {
        try
        {
            power.Set(PowerControl.D0);
        }
        finally
        {
            // A variant's hook may have failed. The client is told, and hears INTx, all the same: nobody comes here a second time.
            TellClient();
        }
    }

    private void TellClient()
    {
        if (_wakeUp is not null)
        {
            using var wakeUp = Disengage();
            if (wakeUp is not null)
                EventFd.Signal(wakeUp);
        }

        if (_unmasksIntx)
        {
            _unmasksIntx = false;
            interrupts.UnmaskIntx();
        }
    }
}
