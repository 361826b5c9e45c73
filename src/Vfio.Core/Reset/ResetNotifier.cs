namespace Vfio.Core.Reset;

/// <summary>Tells a variant of resets, with the gate held alone; its accesses from inside a hook pass the gate.</summary>
internal sealed class ResetNotifier(AccessGate gate, IPciResetHooks hooks)
{
    public void Prepare(ResetCause cause)
    {
        var before = gate.BeginOwner();
        try
        {
            hooks.ResetPrepare(cause);
        }
        finally
        {
            gate.EndOwner(before);
        }
    }

    public void Done(ResetCause cause)
    {
        var before = gate.BeginOwner();
        try
        {
            hooks.ResetDone(cause);
        }
        finally
        {
            gate.EndOwner(before);
        }
    }
}
