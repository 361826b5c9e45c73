using Vfio.Core.Interrupts;
using Vfio.Core.Reset;

namespace Vfio.Core.Config;

/// <summary>What the traps of an open device work on.</summary>
internal sealed record TrapContext(
    IPciFunction Function,
    ConfigMap Map,
    ShadowConfig Shadow,
    VirtualConfig Config,
    AccessGate Gate,
    PowerControl Power,
    FunctionReset Reset,
    InterruptController Interrupts,
    Action CancelTransfers,
    bool HideIntx)
{
    /// <summary>
    /// Resets the function from inside a configuration write: the write returns when the function is back. What comes of it, no guest sees.
    /// </summary>
    public void ResetNow(ResetCause cause)
    {
        var entered = Gate.EnterAlone(CancelTransfers);
        try
        {
            if (Gate.IsOver)
                return;
            // A configuration write is synchronous for whoever makes it, on every bus there is.
            Reset.RunAsync(cause, CancellationToken.None).AsTask().GetAwaiter().GetResult();
        }
        finally
        {
            Gate.ExitAlone(entered);
        }
    }
}
