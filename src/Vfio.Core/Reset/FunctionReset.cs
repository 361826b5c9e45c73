using Vfio.Core.Config;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Reset;

/// <summary>
/// Resets the function around a saved configuration: the kernel's <c>pci_try_reset_function</c>. The gate is held alone by the caller.
/// </summary>
internal sealed class FunctionReset(IPciFunction function, ConfigMap map, PowerControl power, ResetNotifier notifier)
{
    /// <summary>Resets, telling the variant before and after, whatever comes of it.</summary>
    /// <param name="cause">Why.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The function's answer; ENOTTY if it has no method that works.</returns>
    public async ValueTask<VfioResult> RunAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        power.Set(PowerControl.D0);
        notifier.Prepare(cause);
        var saved = ConfigSnapshot.Take(function, map.Saved);
        try
        {
            // Nothing decodes, masters or interrupts while the function goes down.
            function.WriteConfig(Command, 2, CommandIntxDisable);
            return await TryMethodsAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            power.AfterReset();
            saved.Restore(function);
            notifier.Done(cause);
        }
    }

    private async ValueTask<VfioResult> TryMethodsAsync(CancellationToken cancellationToken)
    {
        foreach (var method in function.ResetMethods)
        {
            var result = await function.ResetAsync(method, cancellationToken).ConfigureAwait(false);
            if (result.Error != Errno.ENOTTY)
                return result;
        }

        return Errno.ENOTTY;
    }
}
