using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// Vital Product Data: a write of the address carries the transfer out, and the flag toggles when it is done. Source: the kernel's
/// <c>vfio_vpd_config_write</c>.
/// </summary>
internal sealed class VpdTrap(TrapContext context, ConfigBlock block) : ConfigTrap(context, block)
{
    private readonly Lock _transfer = new();
    // Of several capabilities the PCI core takes the first.
    private readonly VpdRegisters _registers = new(context, context.Map.Standard(Vpd.Id));

    public override void Write(int at, int width, uint value)
    {
        WriteDefault(at, width, value);
        var address = Block.Start + Vpd.Address;
        if (at > address + 1 || at + width <= address + 1 || !Owns(Block.Start + Vpd.Data, 4))
            return;
        // Whoever transfers now may be waiting for the gate: a hook, which holds it alone, must not wait for him.
        if (!Context.Gate.IsOwner)
            _transfer.Enter();
        else if (!_transfer.TryEnter())
            return;
        try
        {
            var asked = Shadow.Read(address, 2);
            var toWrite = (asked & Vpd.Flag) != 0;
            var done = toWrite ? _registers.TryWrite(asked & ~Vpd.Flag, ReadData()) : TryRead(asked);
            // A transfer that failed never completes, and the guest times out, as with hardware.
            if (done)
            {
                lock (Shadow.Changing)
                    Shadow.Merge(address, 2, Vpd.Flag, ~asked);
            }
        }
        finally
        {
            _transfer.Exit();
        }
    }

    private bool TryRead(uint address)
    {
        if (!_registers.TryRead(address, out var value))
            return false;
        lock (Shadow.Changing)
            Shadow.Write(Block.Start + Vpd.Data, 4, value);
        return true;
    }

    private uint ReadData() => Shadow.Read(Block.Start + Vpd.Data, 4);
}
