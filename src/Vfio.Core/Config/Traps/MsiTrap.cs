using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// MSI is enabled by VFIO_DEVICE_SET_IRQS alone, with as many vectors as were set up. Source: the kernel's <c>vfio_msi_config_write</c>.
/// </summary>
internal sealed class MsiTrap(TrapContext context, ConfigBlock block) : ConfigTrap(context, block)
{
    public override void Write(int at, int width, uint value)
    {
        WriteDefault(at, width, value);
        var register = Block.Start + Msi.Flags;
        if (at > register || at + width <= register)
            return;
        uint flags;
        lock (Shadow.Changing)
        {
            flags = Shadow.Read(register, 2);
            if (Context.Interrupts.Active != IrqIndex.Msi)
                flags &= ~Msi.Enable;
            var most = (uint)Context.Interrupts.MsiQueueMax << Msi.QueueSizeShift;
            if ((flags & Msi.QueueSize) > most)
                flags = (flags & ~Msi.QueueSize) | most;
            Shadow.Write(register, 2, flags);
        }

        Context.Config.MergeHardware(register, 2, RegisterRule.All, flags);
    }
}
