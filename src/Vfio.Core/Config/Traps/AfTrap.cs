using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>Initiate FLR of Advanced Features Control. Source: the kernel's <c>vfio_af_config_write</c>.</summary>
internal sealed class AfTrap(TrapContext context, ConfigBlock block) : ConfigTrap(context, block)
{
    public override void Write(int at, int width, uint value)
    {
        const uint Needed = Af.FlrCapable | Af.TransactionsPending;
        WriteDefault(at, width, value);
        var control = Block.Start + Af.Control;
        if (!Owns(control, 1))
            return;
        bool asked;
        lock (Shadow.Changing)
        {
            asked = (Shadow.Read(control, 1) & Af.InitiateFlr) != 0;
            Shadow.Merge(control, 1, Af.InitiateFlr, 0);
        }

        if (asked && (Context.Config.ReadHardware(Block.Start + Af.Capabilities, 1) & Needed) == Needed)
            Context.ResetNow(ResetCause.AfFlr);
    }
}
