namespace Vfio.Core.Config;

/// <summary>The type 0 configuration header. Source: PCI Local Bus 3.0, 6.1.</summary>
internal static class HeaderRegisters
{
    public const int Size = 0x40;
    public const int Vendor = 0x00;
    public const int Device = 0x02;
    public const int Command = 0x04;
    public const int Status = 0x06;
    public const int RevisionAndClass = 0x08;
    public const int CacheLine = 0x0C;
    public const int Latency = 0x0D;
    public const int HeaderType = 0x0E;
    public const int Bist = 0x0F;
    public const int Bar0 = 0x10;
    public const int BarEnd = 0x28;
    public const int Rom = 0x30;
    public const int RomEnd = 0x34;
    public const int CapabilityPointer = 0x34;
    public const int InterruptLine = 0x3C;
    public const int InterruptPin = 0x3D;

    public const uint CommandIo = 1;
    public const uint CommandMemory = 2;
    public const uint CommandMaster = 4;
    public const uint CommandIntxDisable = 0x400;
    public const uint StatusCapabilityList = 0x10;
    public const uint HeaderTypeMask = 0x7F;

    public const uint BarIo = 1;
    public const uint Bar64 = 4;
    public const uint BarPrefetchable = 8;
    public const uint RomEnable = 1;
}
