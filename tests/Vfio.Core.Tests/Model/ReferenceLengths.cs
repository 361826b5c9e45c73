namespace Vfio.Core.Tests.Model;

/// <summary>How long capabilities are by the reference (linux-vfio.md 2.6, 2.7); 0 for one that is hidden.</summary>
internal static class ReferenceLengths
{
    public static int Standard(Func<int, uint> read8, int id, int at)
    {
        uint Read16(int offset) => read8(at + offset) | (read8(at + offset + 1) << 8);
        switch (id)
        {
            case 0x01 or 0x03:
                return 8;
            case 0x02 or 0x11:
                return 12;
            case 0x05:
                var flags = Read16(2);
                return 10 + ((flags & 0x80) != 0 ? 4 : 0) + ((flags & 0x100) != 0 ? 10 : 0);
            case 0x07:
                return (Read16(2) & 0x3000) != 0 ? 24 : 8;
            case 0x08:
                return (read8(at + 3) & 0xE0) != 0 ? 24 : 28;
            case 0x09:
                return (int)read8(at + 2);
            case 0x10:
                var isRootComplex = ((Read16(2) >> 4) & 0xF) == 9;
                return (Read16(2) & 0xF) == 1 ? (isRootComplex ? 12 : 20) : (isRootComplex ? 0x2C : 0x34);
            case 0x12:
                return (read8(at + 4) & 0xF) == 0xF ? 16 : 8;
            case 0x13:
                return 6;
            default:
                return 0;
        }
    }

    public static int Extended(Func<int, uint> read32, int id, int at)
    {
        switch (id)
        {
            case 0x01:
                return 0x2C;
            case 0x02 or 0x08 or 0x09:
                var length = 16 + ((1 + (int)(read32(at + 4) & 7)) * 12);
                var phases = (read32(at + 8) & 0xE) switch { >= 8 => 128, >= 4 => 64, >= 2 => 32, _ => 0 };
                return phases == 0 ? length : ((length + 15) & ~15) + (phases * 4 / 8);
            case 0x03:
                return 12;
            case 0x04 or 0x13:
                return 16;
            case 0x0B or 0x23:
                return (int)(read32(at + 4) >> 20);
            case 0x0D:
                if ((read32(at + 4) & 0x20) == 0)
                    return 8;
                var bits = (int)((read32(at + 4) >> 8) & 0xFF);
                return 8 + ((bits == 0 ? 256 : (bits + 31) & ~31) / 8);
            case 0x0E or 0x0F or 0x18:
                return 8;
            case 0x10:
                return 0x40;
            case 0x12:
                return 40;
            case 0x15:
                return 4 + (8 * (int)((read32(at + 8) >> 5) & 7));
            case 0x16:
                return 16 + (int)(read32(at + 4) & 0x1F) + 1;
            case 0x17:
                var capability = read32(at + 4);
                return (capability & 0x600) == 0x200 ? 12 + (2 * (int)((capability >> 16) & 0x7FF)) + 2 : 12;
            default:
                return 0;
        }
    }
}
