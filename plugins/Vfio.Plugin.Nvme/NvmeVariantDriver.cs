using Vfio.Plugin.Nvme.Admin;

namespace Vfio.Plugin.Nvme;

/// <summary>
/// The variant driver for NVMe virtual functions. It follows every reset, knows the secondary controller behind the VF through the PF, and
/// keeps a guest
/// from resetting the subsystem that it shares with its neighbours.
/// </summary>
public sealed class NvmeVariantDriver : VariantDriver
{
    private const uint NvmeClass = 0x010802;

    /// <inheritdoc/>
    public override string Name => "nvme-vfio-pci";

    /// <inheritdoc/>
    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { ClassCode = NvmeClass, ClassMask = 0xFFFFFF }];

    /// <inheritdoc/>
    public override async ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
    {
        var function = context.Function;
        if (function.VirtualFunctionIndex < 0)
        {
            return ProbeResult.Refused(
                "a physical function: this driver serves what a PF controls, and handing the PF itself out would give its VFs away with it");
        }

        var controller = context.Controllers.Of(function.Address);
        if (controller is null)
            return PassThrough($"no controlling function is known for this VF: {WithoutController}");
        if (controller.Get<ICommandChannel>() is not { } channel)
            return PassThrough($"controlling function {controller.Address} offers no command channel: {WithoutController}");

        var (entry, problem) = await SecondaryControllerList.FindAsync(
            channel, function.VirtualFunctionIndex, cancellationToken).ConfigureAwait(false);
        if (entry is not { } secondary)
            return PassThrough($"{controller.Address}: {problem}: {WithoutController}");
        var link = new ControllerLink(controller.Address, channel, function.VirtualFunctionIndex, secondary);
        var device = new NvmeVfDevice(context.Core, link, context.Logger);
        return secondary.Online ? ProbeResult.Bound(device) : ProbeResult.Degraded(device, link.Offline);

        ProbeResult PassThrough(string reason) => ProbeResult.Degraded(new NvmeVfDevice(context.Core, null, context.Logger), reason);
    }

    private const string WithoutController = "passed through plainly, its state is not watched";
}
