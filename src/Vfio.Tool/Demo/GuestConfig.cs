using System.Buffers.Binary;
using Vfio.Tool.Config;

namespace Vfio.Tool.Demo;

/// <summary>What a guest does to configuration space, through a VFIO device.</summary>
internal sealed class GuestConfig(VfioDevice device)
{
    private const int Command = 0x04, MemoryAndBusMaster = 0x06;
    private const int ExpressId = 0x10, DeviceControl = 8, InitiateFlr = 0x8000;

    /// <summary>Turns memory decoding and bus mastering on.</summary>
    public void Enable() => Write16(Command, (ushort)(Read16(Command) | MemoryAndBusMaster));

    /// <summary>Sets Initiate Function Level Reset in Device Control. Source: PCI Express Base Specification 6.0, 7.5.3.4.</summary>
    /// <exception cref="VfioException">The function has no PCI Express capability.</exception>
    public void FunctionLevelReset()
    {
        var express = ConfigSpace.Read(device).Capabilities().FirstOrDefault(c => !c.Extended && c.Id == ExpressId)
            ?? throw new VfioException(Errno.ENOTTY, "the function has no PCI Express capability");
        Write16(express.Offset + DeviceControl, (ushort)(Read16(express.Offset + DeviceControl) | InitiateFlr));
    }

    private ushort Read16(int offset)
    {
        Span<byte> value = stackalloc byte[sizeof(ushort)];
        Check(device.Read(RegionIndex.Config, (ulong)offset, value), offset);
        return BinaryPrimitives.ReadUInt16LittleEndian(value);
    }

    private void Write16(int offset, ushort value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        Check(device.Write(RegionIndex.Config, (ulong)offset, bytes), offset);
    }

    private static void Check(VfioResult<int> result, int offset)
    {
        if (!result.IsSuccess)
            throw new VfioException(result.Error, $"configuration space at {offset:x3}: {result.Error}");
    }
}
