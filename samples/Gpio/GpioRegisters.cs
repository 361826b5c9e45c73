using Vfio;

namespace Gpio;

/// <summary>BAR 2: registers of one byte. Source: Linux, drivers/gpio/gpio-idio-16.c; libvfio-user's sample for what the pins do.</summary>
internal sealed class GpioRegisters(Pins pins) : DeviceRegion
{
    private const ulong OutputLow = 0, InputLow = 1, ClearInterrupt = 1, EnableInterrupt = 2,
        OutputHigh = 4, InputHigh = 5, InterruptStatus = 6;

    public override ulong Size => 0x100;

    public override RegionFlags Flags => RegionFlags.Read | RegionFlags.Write;

    public override VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        for (var i = 0; i < destination.Length; i++)
            destination[i] = Read(offset + (ulong)i);
        return destination.Length;
    }

    public override VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        for (var i = 0; i < source.Length; i++)
            Write(offset + (ulong)i, source[i]);
        return source.Length;
    }

    private byte Read(ulong register)
    {
        switch (register)
        {
            case InputLow:
                return (byte)pins.Inputs;
            case InputHigh:
                return (byte)(pins.Inputs >> 8);
            case EnableInterrupt:
                pins.EnableInterrupt(true);
                return 0;
            case InterruptStatus:
                const byte Pending = 1 << 2;
                return pins.IsPending ? Pending : (byte)0;
            default:
                return 0;
        }
    }

    private void Write(ulong register, byte value)
    {
        switch (register)
        {
            case OutputLow:
                pins.Count(value);
                break;
            case OutputHigh:
                pins.Count((ushort)(value << 8));
                break;
            case ClearInterrupt:
                pins.ClearInterrupt();
                break;
            case EnableInterrupt:
                pins.EnableInterrupt(false);
                break;
        }
    }
}
