using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>PMCSR: a guest's power state is the function's. Source: the kernel's <c>vfio_pm_config_write</c>.</summary>
internal sealed class PowerManagementTrap(TrapContext context, ConfigBlock block) : ConfigTrap(context, block)
{
    public override void Write(int at, int width, uint value)
    {
        WriteDefault(at, width, value);
        if (at != Block.Start + Pm.Control)
            return;
        var entered = Context.Gate.EnterAlone();
        try
        {
            if (!Context.Gate.IsOver)
                Context.Power.Set((int)(value & Pm.StateMask));
        }
        finally
        {
            Context.Gate.ExitAlone(entered);
        }
    }
}
