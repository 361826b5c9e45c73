using System.Buffers.Binary;

namespace Vfio.Core.Tests.Model;

/// <summary>The VPD registers by linux-vfio.md 2.6 and, where it is silent, drivers/pci/vpd.c: the data ends where its tags end.</summary>
internal sealed class VpdModel(ModelFunction hardware, int start)
{
    private int? _length;

    /// <summary>The upper byte of the address was written.</summary>
    /// <param name="registers">Address and data, virtual.</param>
    public void Transfer(Span<byte> registers)
    {
        var address = BinaryPrimitives.ReadUInt16LittleEndian(registers);
        var at = address & 0x7FFF;
        _length ??= Length();
        var length = _length.Value;
        if (start == 0 || length == 0)
            return;
        if ((address & 0x8000) != 0)
        {
            if ((at & 3) != 0 || at + 4 > length)
                return;
            hardware.WriteConfig(start + 4, 4, BinaryPrimitives.ReadUInt32LittleEndian(registers[2..]));
            hardware.WriteConfig(start + 2, 2, address);
        }
        else
        {
            Span<byte> data = stackalloc byte[4];
            for (var i = 0; i < 4 && at + i < length; i++)
                data[i] = Read(at + i);
            data.CopyTo(registers[2..]);
        }

        registers[1] ^= 0x80;
    }

    private byte Read(int at)
    {
        hardware.WriteConfig(start + 2, 2, (uint)at & 0x7FFC);
        return hardware.Registers[start + 4 + (at & 3)];
    }

    private int Length()
    {
        if (start == 0 || Read(0) is 0x00 or 0xFF)
            return 0;
        for (var at = 0; at < 0x8000;)
        {
            var tag = Read(at);
            var size = (tag & 0x80) != 0 ? Read((at + 1) & 0x7FFF) | (Read((at + 2) & 0x7FFF) << 8) : tag & 7;
            if (at + size > 0x8000)
                return at;
            at += ((tag & 0x80) != 0 ? 3 : 1) + size;
            if ((tag & 0xF8) == 0x78 || at >= 0x8000)
                return at;
        }

        return 0x8000;
    }
}
