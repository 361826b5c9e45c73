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
        Wake();
        notifier.Prepare(cause);
        try
        {
            return await ResetPreparedAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            notifier.Done(cause);
        }
    }

    /// <summary>Goes to D0.</summary>
    public void Wake() => power.Set(PowerControl.D0);

    /// <inheritdoc cref="ResetNotifier.Prepare"/>
    public void Prepare(ResetCause cause) => notifier.Prepare(cause);

    /// <inheritdoc cref="ResetNotifier.Done"/>
    public void Done(ResetCause cause) => notifier.Done(cause);

    /// <summary>What the reset loses.</summary>
    public ConfigSnapshot Save() => ConfigSnapshot.Take(function, map.Saved);

    /// <summary>Nothing decodes, masters or interrupts while the function goes down.</summary>
    public void Quiesce() => function.WriteConfig(Command, 2, CommandIntxDisable);

    /// <summary>The function was reset, or not: it is as it was before.</summary>
    public void Restore(ConfigSnapshot saved)
    {
        power.AfterReset();
        saved.Restore(function);
    }

    private async ValueTask<VfioResult> ResetPreparedAsync(CancellationToken cancellationToken)
    {
        var saved = Save();
        try
        {
            Quiesce();
            return await TryMethodsAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Restore(saved);
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
