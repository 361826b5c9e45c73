using Vfio.Plugin.Nvme.Admin;

namespace Vfio.Plugin.Nvme;

/// <summary>The secondary controller behind a VF, as its primary controller shows it.</summary>
internal sealed class ControllerLink(PciAddress primary, ICommandChannel channel, int virtualFunctionIndex, SecondaryController known)
{
    private volatile StrongBox _known = new(known);

    public PciAddress Primary { get; } = primary;

    /// <summary>What the primary controller said last.</summary>
    public SecondaryController Known => _known.Value;

    /// <summary>Why the VF cannot be used while its controller is offline, and what to do.</summary>
    public string Offline
        => $"offline: secondary controller {Known.ControllerId} has {Known.QueueResources} queue and {Known.InterruptResources} interrupt "
            + $"resources; assign them and bring it online through {Primary} (Virtualization Management)";

    /// <summary>Asks the primary controller anew.</summary>
    /// <returns>ENODEV: offline, or no secondary controller of this subsystem any more.</returns>
    public async ValueTask<VfioResult> CheckOnlineAsync(CancellationToken cancellationToken)
    {
        var (entry, _) = await SecondaryControllerList.FindAsync(channel, virtualFunctionIndex, cancellationToken).ConfigureAwait(false);
        if (entry is not { } secondary)
            return Errno.ENODEV;
        _known = new(secondary);
        return secondary.Online ? VfioResult.Success : Errno.ENODEV;
    }

    private sealed record StrongBox(SecondaryController Value);
}
