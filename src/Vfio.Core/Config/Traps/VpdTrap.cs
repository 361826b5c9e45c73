using System.Diagnostics;
using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// Vital Product Data: a write of the address carries the transfer out, and the flag toggles when it is done. Source: the kernel's
/// <c>vfio_vpd_config_write</c>.
/// </summary>
internal sealed class VpdTrap(TrapContext context, ConfigBlock block) : ConfigTrap(context, block)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(125);
    private readonly Lock _transfer = new();

    public override void Write(int at, int width, uint value)
    {
        WriteDefault(at, width, value);
        var address = Block.Start + Vpd.Address;
        if (at > address + 1 || at + width <= address + 1)
            return;
        lock (_transfer)
        {
            var asked = Shadow.Read(address, 2);
            var toWrite = (asked & Vpd.Flag) != 0;
            var done = toWrite ? TryWrite(asked & ~Vpd.Flag) : TryRead(asked);
            // A transfer that failed never completes, and the guest times out, as with hardware.
            if (done)
            {
                lock (Shadow.Changing)
                    Shadow.Merge(address, 2, Vpd.Flag, ~asked);
            }
        }
    }

    private bool TryRead(uint address)
    {
        uint value = 0;
        // The hardware transfers aligned dwords; a guest may ask for any four bytes.
        var shift = (int)(address & 3) * 8;
        if (!TryTransfer(address & ~3u, Vpd.Flag))
            return false;
        value = ReadData() >> shift;
        if (shift != 0)
        {
            if (!TryTransfer((address & ~3u) + 4, Vpd.Flag))
                return false;
            value |= ReadData() << (32 - shift);
        }

        lock (Shadow.Changing)
            WriteShadowData(value);
        return true;
    }

    private bool TryWrite(uint address)
    {
        if ((address & 3) != 0)
            return false;
        WriteHardware(Block.Start + Vpd.Data, 4, ReadShadowData());
        return TryTransfer(address | Vpd.Flag, 0);
    }

    private bool TryTransfer(uint address, uint flagWhenDone)
    {
        var register = Block.Start + Vpd.Address;
        WriteHardware(register, 2, address);
        var started = Stopwatch.GetTimestamp();
        var spin = default(SpinWait);
        while ((ReadHardware(register, 2) & Vpd.Flag) != flagWhenDone)
        {
            if (Stopwatch.GetElapsedTime(started) > Patience)
                return false;
            spin.SpinOnce();
        }

        return true;
    }

    private uint ReadData() => ReadHardware(Block.Start + Vpd.Data, 4);

    private uint ReadShadowData() => Shadow.Read(Block.Start + Vpd.Data, 4);

    private void WriteShadowData(uint value) => Shadow.Write(Block.Start + Vpd.Data, 4, value);

    private uint ReadHardware(int at, int width)
    {
        Context.Gate.EnterShared();
        try
        {
            return Function.ReadConfig(at, width);
        }
        finally
        {
            Context.Gate.ExitShared();
        }
    }

    private void WriteHardware(int at, int width, uint value)
    {
        Context.Gate.EnterShared();
        try
        {
            if (!Context.Gate.IsOver)
                Function.WriteConfig(at, width, value);
        }
        finally
        {
            Context.Gate.ExitShared();
        }
    }
}
