using System.Buffers.Binary;
using Vfio;

namespace SharedPages;

/// <summary>
/// BAR 0: one register of 8 bytes, seconds since 1970: when the alarm goes off. 0 is no alarm, and what an alarm that went off leaves. A
/// write acknowledges the interrupt of the last one.
/// </summary>
internal sealed class TimeRegister(Alarm alarm, Action acknowledge) : DeviceRegion
{
    public const int Length = sizeof(long);

    public override ulong Size => Length;

    public override RegionFlags Flags => RegionFlags.Read | RegionFlags.Write;

    public override VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        if (offset != 0 || destination.Length != Length)
            return Errno.EINVAL;
        BinaryPrimitives.WriteInt64LittleEndian(destination, alarm.Seconds);
        return Length;
    }

    public override VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (offset != 0 || source.Length != Length)
            return Errno.EINVAL;
        acknowledge();
        alarm.Seconds = BinaryPrimitives.ReadInt64LittleEndian(source);
        return Length;
    }
}
