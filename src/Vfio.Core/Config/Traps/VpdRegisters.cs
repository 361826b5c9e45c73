using System.Diagnostics;
using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// The hardware's own VPD registers: aligned dwords, one transfer at a time. Source: the kernel's <c>drivers/pci/vpd.c</c>.
/// </summary>
internal sealed class VpdRegisters(TrapContext context, int start)
{
    private const int MaxSize = 0x8000, None = -1;
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(125);
    private int _size;

    /// <summary>Reads four bytes from anywhere; those behind the data's end are 0.</summary>
    public bool TryRead(uint address, out uint value)
    {
        value = 0;
        if (!TrySize(out var size))
            return false;
        for (uint i = 0; i < 4 && address + i < size;)
        {
            if (!TryReadDword((address + i) & ~3u, out var dword))
                return false;
            for (; i < 4 && address + i < size; i++)
            {
                value |= ((dword >> (int)(8 * ((address + i) & 3))) & 0xFF) << (int)(8 * i);
                if (((address + i) & 3) != 3)
                    continue;
                i++;
                break;
            }
        }

        return true;
    }

    /// <summary>Writes a dword, where the data has it.</summary>
    public bool TryWrite(uint address, uint value)
    {
        if ((address & 3) != 0 || !TrySize(out var size) || address + 4 > size)
            return false;
        WriteHardware(start + Vpd.Data, 4, value);
        return TryTransfer(address | Vpd.Flag, 0);
    }

    /// <summary>How long the data is by its tags; a failure is tried again, as the hardware may have been busy.</summary>
    private bool TrySize(out int size)
    {
        size = _size;
        if (size != 0)
            return size != None;
        const byte LargeTag = 0x80, SmallTagMask = 0x78, EndTag = 0x78, SmallSizeMask = 7;
        while (size < MaxSize)
        {
            if (!TryReadByte(size, out var tag))
                return false;
            // No tag at all: the memory behind the registers is not there.
            if (size == 0 && tag is 0x00 or 0xFF)
                break;
            int header = 1, length = tag & SmallSizeMask;
            if ((tag & LargeTag) != 0)
            {
                if (!TryReadByte(size + 1, out var low) || !TryReadByte(size + 2, out var high))
                    return false;
                (header, length) = (3, low | (high << 8));
            }

            // Tags that lead over the end: what came before them counts.
            if (size + length > MaxSize)
                break;
            size += header + length;
            if ((tag & (LargeTag | SmallTagMask)) == EndTag)
                break;
        }

        _size = size == 0 ? None : size;
        return _size != None;
    }

    private bool TryReadByte(int at, out byte value)
    {
        var done = TryReadDword((uint)at & (MaxSize - 4), out var dword);
        value = (byte)(dword >> (8 * (at & 3)));
        return done;
    }

    private bool TryReadDword(uint address, out uint value)
    {
        value = 0;
        if (!TryTransfer(address, Vpd.Flag))
            return false;
        value = ReadHardware(start + Vpd.Data, 4);
        return true;
    }

    private bool TryTransfer(uint address, uint flagWhenDone)
    {
        WriteHardware(start + Vpd.Address, 2, address);
        var started = Stopwatch.GetTimestamp();
        var spin = default(SpinWait);
        while ((ReadHardware(start + Vpd.Address, 2) & Vpd.Flag) != flagWhenDone)
        {
            if (Stopwatch.GetElapsedTime(started) > Patience)
                return false;
            spin.SpinOnce();
        }

        return true;
    }

    private uint ReadHardware(int at, int width) => context.Config.ReadHardware(at, width);

    private void WriteHardware(int at, int width, uint value)
    {
        context.Gate.EnterShared();
        try
        {
            if (!context.Gate.IsOver)
                context.Function.WriteConfig(at, width, value);
        }
        finally
        {
            context.Gate.ExitShared();
        }
    }
}
