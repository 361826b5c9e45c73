using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// Initiate FLR, and the largest read request, of PCI Express Device Control. Source: the kernel's <c>vfio_exp_config_write</c>.
/// </summary>
/// <remarks>The largest payload is virtual: a proper value needs a view of the whole hierarchy, which no guest has.</remarks>
internal sealed class ExpressTrap(TrapContext context, ConfigBlock block) : ConfigTrap(context, block)
{
    private int Control => Block.Start + Express.DeviceControl;

    public override void Write(int at, int width, uint value)
    {
        if (!Owns(Control, 2))
        {
            WriteDefault(at, width, value);
            return;
        }

        var before = Shadow.Read(Control, 2);
        WriteDefault(at, width, value);
        uint after;
        lock (Shadow.Changing)
        {
            after = Shadow.Read(Control, 2);
            // The bit reads as 0 whether or not the function has an FLR.
            Shadow.Merge(Control, 2, Express.InitiateFlr, 0);
        }

        if ((after & Express.InitiateFlr) != 0 && HasFlr())
            Context.ResetNow(ResetCause.PcieFlr);
        if (((before ^ after) & Express.MaxReadRequest) != 0)
            SetReadRequest((int)((after & Express.MaxReadRequest) >> Express.MaxReadRequestShift));
    }

    private bool HasFlr() => (Context.Config.ReadHardware(Block.Start + Express.DeviceCapabilities, 4) & Express.FlrCapable) != 0;

    private void SetReadRequest(int asked)
    {
        const int Largest = 5;
        // A guest may not know that a larger payload is configured, and ask for less than the hardware does well with.
        var payload = (int)((Context.Config.ReadHardware(Control, 2) & Express.MaxPayload) >> Express.MaxPayloadShift);
        var size = Math.Max(asked, payload);
        if (size <= Largest)
            Context.Config.MergeHardware(Control, 2, Express.MaxReadRequest, (uint)size << Express.MaxReadRequestShift);
    }
}
