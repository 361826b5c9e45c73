using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// The BAR and ROM registers as a client sees them: values of its own that never reach the hardware, shaped by the BARs that the function
/// has.
/// </summary>
/// <remarks>Source: the kernel's <c>vfio_bar_fixup</c> and <c>vfio_bar_restore</c>.</remarks>
internal sealed class BarRegisters
{
    private const int Count = 6;
    private readonly IPciFunction _function;
    private readonly ShadowConfig _shadow;
    private readonly uint[] _hardware;

    public BarRegisters(IPciFunction function, ShadowConfig shadow)
    {
        _function = function;
        _shadow = shadow;
        _hardware = [.. Enumerable.Range(0, Count).Select(i => function.ReadConfig(Bar0 + (4 * i), 4)), function.ReadConfig(Rom, 4)];
    }

    /// <summary>Gives the registers the bits that a client's write cannot change.</summary>
    public void Size()
    {
        for (var i = 0; i < Count; i++)
        {
            if (_function.Bar(i) is not { } bar)
            {
                _shadow.Write(Register(i), 4, 0);
                continue;
            }

            var mask = ~(bar.Size - 1);
            Shape(Register(i), (uint)mask, Flags(bar));
            if (bar.Kind == BarKind.Memory64 && i + 1 < Count)
                Shape(Register(++i), (uint)(mask >> 32), 0);
        }

        Shape(Rom, _function.Bar(RegionIndex.Rom) is { } rom ? (uint)~(rom.Size - 1) | RomEnable : 0, 0);
    }

    /// <summary>Whether a BAR does not hold any more what it held when the device was opened.</summary>
    public bool HardwareDiffers()
    {
        for (var i = 0; i < Count; i++)
        {
            if (_hardware[i] != 0 && _function.ReadConfig(Register(i), 4) != _hardware[i])
                return true;
        }

        return false;
    }

    /// <summary>Puts the hardware's BARs back.</summary>
    public void RestoreHardware()
    {
        for (var i = 0; i < Count; i++)
            _function.WriteConfig(Register(i), 4, _hardware[i]);
        _function.WriteConfig(Rom, 4, _hardware[Count]);
    }

    private static int Register(int bar) => Bar0 + (4 * bar);

    private static uint Flags(IPciBar bar) => bar.Kind switch
    {
        BarKind.Io => BarIo,
        BarKind.Memory64 => Bar64 | (bar.Prefetchable ? BarPrefetchable : 0),
        _ => bar.Prefetchable ? BarPrefetchable : 0,
    };

    private void Shape(int register, uint mask, uint flags) => _shadow.Write(register, 4, (_shadow.Read(register, 4) & mask) | flags);
}
